// Times as text, without allocating and without a libc call for each event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace plumb {

inline constexpr std::size_t kRfc3339Size = 30;  // 2026-11-21T06:49:26.000000001Z

// Writes kRfc3339Size bytes.
void write_rfc3339(char* out, UnixTime t);

// Writes HH:MM:SS.mmm (12 bytes) of t + offset_seconds, the milliseconds cut, not rounded.
inline constexpr std::size_t kTimeOfDaySize = 12;
void write_time_of_day(char* out, UnixTime t, std::int64_t offset_seconds);

// Writes the date, the time to the millisecond and the offset: 2026-11-21T07:49:26.123+01:00.
inline constexpr std::size_t kIsoTimeSize = 29;
void write_iso_time(char* out, UnixTime t, std::int64_t offset_seconds);

// ns / 10^6, exact and without trailing zeros: 0.083412, 12, -0.5. Writes at most kMillisecondsSize bytes and returns
// the end.
inline constexpr std::size_t kMillisecondsSize = 21;
char* write_milliseconds(char* out, Duration d);
void append_milliseconds(std::string& out, Duration d);

// What local clocks are ahead of UTC, by the time zone of the process. Asks the C library once for each
// quarter of an hour, since zones change their offset on no other boundary.
class LocalOffset {
 public:
  std::int64_t seconds(UnixTime t);

 private:
  std::int64_t quarter_ = INT64_MIN;
  std::int64_t seconds_ = 0;
};

}  // namespace plumb
