#include "base/utf8.h"

#include <cstdint>

namespace plumb {
namespace {

// What a lead byte allows: length, and the bounds of the byte that follows it (RFC 3629 section 4).
struct Lead {
  unsigned size;
  std::uint8_t low, high;
};

constexpr Lead lead_of(std::uint8_t b) {
  if (b < 0x80) return {1, 0, 0};
  if (b < 0xc2) return {0, 0, 0};
  if (b < 0xe0) return {2, 0x80, 0xbf};
  if (b == 0xe0) return {3, 0xa0, 0xbf};
  if (b == 0xed) return {3, 0x80, 0x9f};
  if (b < 0xf0) return {3, 0x80, 0xbf};
  if (b == 0xf0) return {4, 0x90, 0xbf};
  if (b < 0xf4) return {4, 0x80, 0xbf};
  if (b == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

}  // namespace

Utf8Step decode_utf8(std::string_view text) {
  const auto first = static_cast<std::uint8_t>(text.front());
  const Lead lead = lead_of(first);
  if (lead.size == 1) return {first, 1, true};
  if (lead.size == 0) return {0, 1, false};
  char32_t code = first & (0x7fU >> lead.size);
  std::uint8_t low = lead.low;
  std::uint8_t high = lead.high;
  for (unsigned i = 1; i < lead.size; ++i) {
    if (i == text.size()) return {0, i, false};
    const auto b = static_cast<std::uint8_t>(text[i]);
    if (b < low || b > high) return {0, i, false};
    code = code << 6 | (b & 0x3fU);
    low = 0x80;
    high = 0xbf;
  }
  return {code, lead.size, true};
}

void append_utf8(std::string& out, char32_t code) {
  const auto byte = [&out](char32_t b) { out += static_cast<char>(b); };
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
  }
  byte(0x80 | (code & 0x3f));
}

std::string_view valid_utf8(std::string_view text, std::string& scratch) {
  std::size_t good = 0;  // bytes of `text` that are UTF-8
  for (Utf8Step step; good < text.size(); good += step.size) {
    step = decode_utf8(text.substr(good));
    if (!step.valid) break;
  }
  if (good == text.size()) return text;
  scratch.assign(text.substr(0, good));
  for (std::string_view rest = text.substr(good); !rest.empty();) {
    const Utf8Step step = decode_utf8(rest);
    scratch += step.valid ? rest.substr(0, step.size) : std::string_view("\xef\xbf\xbd");
    rest.remove_prefix(step.size);
  }
  return scratch;
}

}  // namespace plumb
