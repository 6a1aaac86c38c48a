// How many columns of a terminal one character takes. Our own table, since wcwidth(3) knows nothing in the C
// locale, and a static executable cannot rely on any other.
#pragma once

namespace plumb {

// 0 for combining marks and invisible format characters, 2 for East Asian wide ones (UAX #11), otherwise 1.
// Control characters are the caller's: they are escaped before they are printed.
unsigned code_point_width(char32_t code);

}  // namespace plumb
