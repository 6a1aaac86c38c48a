// Names as people wrote them: C++ (Itanium ABI), Rust (both manglings). Go's need nothing.
#pragma once

#include <string>
#include <string_view>

namespace plumb {

// The name itself when it is not mangled, or too long or damaged.
std::string demangled(std::string_view name);

}  // namespace plumb
