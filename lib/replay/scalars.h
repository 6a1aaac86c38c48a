// Times, durations and numbers as JSON lines have them, read back exactly.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace plumb::replay {

// RFC 3339 in UTC with up to nine digits of a second's fraction: 2026-11-21T06:49:26.000000001Z. Nothing for anything
// else, and for times that 64 bits of nanoseconds do not hold.
std::optional<UnixTime> parse_time(std::string_view text);

// A number of milliseconds, to the nanosecond: 0.083412 is 83,412 ns. `text` is a number by JSON's grammar.
std::optional<Duration> parse_milliseconds(std::string_view text);

// A number in its own type; nothing when it does not fit.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace plumb::replay
