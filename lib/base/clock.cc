#include "base/clock.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <limits>

namespace plumb {
namespace {

constexpr int kTries = 50;  // tens of nanoseconds on an idle machine
constexpr std::int64_t kStepThresholdNs = 1'000'000;

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

class SystemClockSource final : public ClockSource {
 public:
  BootTime boot() const override { return {static_cast<std::uint64_t>(read_clock(CLOCK_BOOTTIME))}; }
  UnixTime real() const override { return {read_clock(CLOCK_REALTIME)}; }
};

}  // namespace

const ClockSource& system_clock_source() {
  static const SystemClockSource source;
  return source;
}

BootClock::BootClock(const ClockSource& source) : source_(&source) {
  const Anchor anchor = take();
  offset_ns_ = anchor.offset_ns;
  error_bound_ns_ = anchor.half_width_ns;
}

BootClock::Anchor BootClock::take() const {
  Anchor best{0, std::numeric_limits<std::int64_t>::max()};
  for (int i = 0; i < kTries; ++i) {
    const auto before = static_cast<std::int64_t>(source_->boot().ns);
    const auto real = source_->real().ns;
    const auto after = static_cast<std::int64_t>(source_->boot().ns);
    const std::int64_t half = (after - before + 1) / 2;
    if (half < best.half_width_ns) best = {real - (before + (after - before) / 2), half};
  }
  return best;
}

UnixTime BootClock::to_unix(BootTime t) const {
  constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();
  const auto ns = static_cast<std::int64_t>(std::min(t.ns, static_cast<std::uint64_t>(kLatest)));
  if (std::int64_t sum = 0; !__builtin_add_overflow(ns, offset_ns_, &sum)) return {sum};
  return {kLatest};  // the sum of two, one of which is not negative, is only ever too large
}

std::int64_t BootClock::refresh() {
  const Anchor anchor = take();
  const std::int64_t step = anchor.offset_ns - offset_ns_;
  offset_ns_ = anchor.offset_ns;
  error_bound_ns_ = anchor.half_width_ns;
  return std::llabs(step) > kStepThresholdNs ? step : 0;
}

}  // namespace plumb
