#include "sink/time_text.h"

#include <charconv>

#include <array>
#include <cstring>
#include <ctime>
#include <string>

#include "sink/formats.h"

namespace plumb {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

struct Split {
  std::int64_t days;
  std::int64_t second_of_day;
  std::int64_t ns;
};

// Rounds towards the past, so that times before 1970 come out right.
constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

Split split(UnixTime t, std::int64_t offset_seconds) {
  const std::int64_t second = floor_div(t.ns, kNsPerSecond);
  const std::int64_t local = second + offset_seconds;
  const std::int64_t days = floor_div(local, kSecondsPerDay);
  return {days, local - days * kSecondsPerDay, (t.ns % kNsPerSecond + kNsPerSecond) % kNsPerSecond};
}

constexpr std::array<char, 200> kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

void two_digits(char* out, std::int64_t v) {
  std::memcpy(out, &kPairs[2 * static_cast<std::size_t>(v)], 2);
}

// The civil date of a day count since 1970-01-01, in the proleptic Gregorian calendar. The year is taken to
// begin in March, so that the leap day comes last; 146,097 days are 400 years, and month lengths from March
// on follow 153 m / 5.
void write_date(char* out, std::int64_t days) {
  const std::int64_t shifted = days + 719'468;  // from 0000-03-01
  const std::int64_t era = floor_div(shifted, 146'097);
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t march_month = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
  const std::int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  two_digits(out, year / 100);
  two_digits(out + 2, year % 100);
  out[4] = '-';
  two_digits(out + 5, month);
  out[7] = '-';
  two_digits(out + 8, day);
}

void write_clock(char* out, std::int64_t second_of_day) {
  two_digits(out, second_of_day / 3'600);
  out[2] = ':';
  two_digits(out + 3, second_of_day / 60 % 60);
  out[5] = ':';
  two_digits(out + 6, second_of_day % 60);
}

}  // namespace

void write_rfc3339(char* out, UnixTime t) {
  const Split s = split(t, 0);
  write_date(out, s.days);
  out[10] = 'T';
  write_clock(out + 11, s.second_of_day);
  out[19] = '.';
  out[20] = static_cast<char>('0' + s.ns / 100'000'000);
  two_digits(out + 21, s.ns / 1'000'000 % 100);
  two_digits(out + 23, s.ns / 10'000 % 100);
  two_digits(out + 25, s.ns / 100 % 100);
  two_digits(out + 27, s.ns % 100);
  out[29] = 'Z';
}

void append_rfc3339(std::string& out, UnixTime t) {
  char text[kRfc3339Size];
  write_rfc3339(text, t);
  out.append(text, sizeof text);
}

void write_time_of_day(char* out, UnixTime t, std::int64_t offset_seconds) {
  const Split s = split(t, offset_seconds);
  write_clock(out, s.second_of_day);
  out[8] = '.';
  out[9] = static_cast<char>('0' + s.ns / 100'000'000);
  two_digits(out + 10, s.ns / 1'000'000 % 100);
}

void write_iso_time(char* out, UnixTime t, std::int64_t offset_seconds) {
  write_date(out, split(t, offset_seconds).days);
  out[10] = 'T';
  write_time_of_day(out + 11, t, offset_seconds);
  const std::int64_t minutes = (offset_seconds < 0 ? -offset_seconds : offset_seconds) / 60;
  out[23] = offset_seconds < 0 ? '-' : '+';
  two_digits(out + 24, minutes / 60 % 100);
  out[26] = ':';
  two_digits(out + 27, minutes % 60);
}

std::int64_t LocalOffset::seconds(UnixTime t) {
  const std::int64_t second = floor_div(t.ns, kNsPerSecond);
  const std::int64_t quarter = floor_div(second, 900);
  if (quarter != quarter_) {
    const std::time_t when = second;
    std::tm local{};
    seconds_ = localtime_r(&when, &local) == nullptr ? 0 : local.tm_gmtoff;
    quarter_ = quarter;
  }
  return seconds_;
}

char* write_milliseconds(char* out, Duration d) {
  auto ns = static_cast<std::uint64_t>(d.ns);
  if (d.ns < 0) {
    *out++ = '-';
    ns = 0 - ns;
  }
  out = std::to_chars(out, out + 13, ns / 1'000'000).ptr;  // at most 2^63 ns
  const auto rest = static_cast<std::uint32_t>(ns % 1'000'000);
  if (rest == 0) return out;
  *out++ = '.';
  two_digits(out, rest / 10'000);
  two_digits(out + 2, rest / 100 % 100);
  two_digits(out + 4, rest % 100);
  out += 6;
  while (out[-1] == '0') --out;
  return out;
}

void append_milliseconds(std::string& out, Duration d) {
  char text[kMillisecondsSize];
  out.append(text, static_cast<std::size_t>(write_milliseconds(text, d) - text));
}

}  // namespace plumb
