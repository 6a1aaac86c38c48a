// One step of strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <string>
#include <string_view>

namespace plumb {

struct Utf8Step {
  char32_t code = 0;  // meaningless when not valid
  unsigned size = 1;  // bytes taken; of an invalid sequence its longest correct beginning, at least 1
                      // (Unicode 3.9, U+FFFD substitution of maximal subparts)
  bool valid = false;
};

// Decodes at the front of `text`, which is not empty.
Utf8Step decode_utf8(std::string_view text);

// Appends a character; U+FFFD for what is none (a surrogate, above U+10FFFF).
void append_utf8(std::string& out, char32_t code);

// `text` itself when it is UTF-8; otherwise `scratch`, filled with `text` and U+FFFD for what is not.
std::string_view valid_utf8(std::string_view text, std::string& scratch);

}  // namespace plumb
