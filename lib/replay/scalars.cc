#include "replay/scalars.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace plumb::replay {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The number in `size` digits at `at`; nothing when one of them is none.
std::optional<std::int64_t> digits(std::string_view text, std::size_t at, std::size_t size) {
  if (text.size() < at + size) return std::nullopt;
  std::int64_t value = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar: years begin in March, so that the leap day is their last,
// and 400 of them have 146,097 days.
std::int64_t days_since_epoch(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  constexpr std::int64_t kEraDays = 146'097;
  constexpr std::int64_t kDaysToEpoch = 719'468;  // from 0000-03-01
  return era * kEraDays + of_era * 365 + of_era / 4 - of_era / 100 + of_year - kDaysToEpoch;
}

}  // namespace

std::optional<UnixTime> parse_time(std::string_view text) {
  // 0123456789012345678
  // 2026-11-21T06:49:26
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || text.back() != 'Z')
    return std::nullopt;
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  std::int64_t fraction = 0;
  const std::size_t decimals = text.size() - 20;  // with the point
  if (decimals != 0) {
    if (text[19] != '.' || decimals < 2 || decimals > 10) return std::nullopt;
    const auto written = digits(text, 20, decimals - 1);
    if (!written) return std::nullopt;
    fraction = *written;
    for (std::size_t i = decimals - 1; i < 9; ++i) fraction *= 10;
  }
  const std::int64_t seconds =
      ((days_since_epoch(*year, *month, *day) * 24 + *hour) * 60 + *minute) * 60 + *second;
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &ns) ||
      __builtin_add_overflow(ns, fraction, &ns))
    return std::nullopt;
  return UnixTime{ns};
}

std::optional<Duration> parse_milliseconds(std::string_view text) {
  // The common form, up to 13 digits [ "." up to six ], without a detour through a double: 19 digits fit into 64 bits.
  const bool negative = text.starts_with('-');
  const std::size_t first = negative ? 1 : 0;
  const std::size_t point = std::min(text.find('.', first), text.size());
  const std::size_t decimals = point == text.size() ? 0 : text.size() - point - 1;
  if (point - first <= 13 && decimals <= 6) {
    std::uint64_t ns = 0;
    std::size_t i = first;
    for (; i < text.size() && (i == point || is_digit(text[i])); ++i) {
      if (i != point) ns = ns * 10 + static_cast<std::uint64_t>(text[i] - '0');
    }
    for (std::size_t n = decimals; n < 6; ++n) ns *= 10;
    const std::uint64_t most = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0);
    if (i == text.size()) {
      if (ns > most) return std::nullopt;
      return Duration{static_cast<std::int64_t>(negative ? ~ns + 1 : ns)};
    }
  }
  const auto ms = parse_number<double>(text);
  constexpr double kMost = 9.2e18;
  if (!ms || !(std::abs(*ms * 1e6) < kMost)) return std::nullopt;
  return Duration{static_cast<std::int64_t>(std::llround(*ms * 1e6))};
}

}  // namespace plumb::replay
