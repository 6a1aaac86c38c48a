// Times. The kernel stamps events with CLOCK_BOOTTIME (bpf_ktime_get_boot_ns); people read UTC. BootClock
// joins the two with one anchor, taken sandwiched between two readings of the boot clock, never with a fresh
// pair for each event (that would jitter by the cost of two calls). A step of the real-time clock (NTP, date
// -s) moves the anchor.
#pragma once

#include <cstdint>
#include <string_view>

namespace plumb {

// Nanoseconds since the kernel booted, time in suspend included: CLOCK_BOOTTIME of the first time namespace.
struct BootTime {
  std::uint64_t ns = 0;
  friend auto operator<=>(BootTime, BootTime) = default;
};

// How far CLOCK_BOOTTIME and CLOCK_MONOTONIC of a time namespace are ahead of the kernel's own, which BPF programs and perf
// events give (time_namespaces(7)). So are the start times in /proc that a process in it reads.
struct TimeOffsets {
  std::int64_t monotonic_ns = 0;
  std::int64_t boot_ns = 0;
};
// Of a file like /proc/self/timens_offsets; none where it is something else.
TimeOffsets parse_time_offsets(std::string_view text);
// Of this process.
const TimeOffsets& time_offsets();

// Nanoseconds since 1970-01-01T00:00:00Z (CLOCK_REALTIME), leap seconds not counted.
struct UnixTime {
  std::int64_t ns = 0;
  friend auto operator<=>(UnixTime, UnixTime) = default;
};

// A length of time in nanoseconds.
struct Duration {
  std::int64_t ns = 0;
  friend auto operator<=>(Duration, Duration) = default;
};

// From `earlier` to `later`; the longest there is where that does not fit, which only impossible times make.
constexpr Duration between(UnixTime earlier, UnixTime later) {
  std::int64_t ns = 0;
  if (!__builtin_sub_overflow(later.ns, earlier.ns, &ns)) return {ns};
  return {later.ns > earlier.ns ? INT64_MAX : INT64_MIN};
}

// The seam that tests stand in for: where clock readings come from.
class ClockSource {
 public:
  virtual ~ClockSource() = default;
  virtual BootTime boot() const = 0;
  virtual UnixTime real() const = 0;
};

const ClockSource& system_clock_source();

class BootClock {
 public:
  explicit BootClock(const ClockSource& source = system_clock_source());

  // UTC of a boot time, by the current anchor; the latest or earliest time there is for one that cannot be.
  UnixTime to_unix(BootTime t) const;
  BootTime now() const { return source_->boot(); }

  // Re-takes the anchor. Call about once a second. Returns the step in nanoseconds when the real-time clock
  // was stepped by more than 1 ms since the last anchor (slewing stays far below that), otherwise 0.
  std::int64_t refresh();

  // Half the width of the narrowest sandwich: the anchor's error bound in nanoseconds.
  std::int64_t error_bound_ns() const { return error_bound_ns_; }

 private:
  struct Anchor {
    std::int64_t offset_ns;
    std::int64_t half_width_ns;
  };
  Anchor take() const;

  const ClockSource* source_;
  std::int64_t offset_ns_ = 0;
  std::int64_t error_bound_ns_ = 0;
};

}  // namespace plumb
