// Numbers as an SVG file has them by the ten thousand: fmt takes three times as long, which was half of what drawing cost.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

namespace plumb::profile {

inline void append_number(std::string& out, std::uint64_t value) {
  char text[20];
  out.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text));
}

// A value of 0 to 10^15, rounded to 0, 1 or 2 decimals; a half may go either way.
inline void append_fixed(std::string& out, double value, unsigned decimals) {
  static constexpr std::uint64_t kScale[] = {1, 10, 100};
  const auto scaled = static_cast<std::uint64_t>(std::llrint(value * static_cast<double>(kScale[decimals])));
  append_number(out, scaled / kScale[decimals]);
  if (decimals == 0) return;
  const std::uint64_t rest = scaled % kScale[decimals];
  out += '.';
  if (decimals == 2) out += static_cast<char>('0' + rest / 10);
  out += static_cast<char>('0' + rest % 10);
}

}  // namespace plumb::profile
