#include "base/clock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <limits>

#include "base/fd.h"

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
  BootTime boot() const override {
    return {static_cast<std::uint64_t>(read_clock(CLOCK_BOOTTIME) - time_offsets().boot_ns)};
  }
  UnixTime real() const override { return {read_clock(CLOCK_REALTIME)}; }
};

// The seconds and nanoseconds of the line that begins with `clock`: "boottime      100000         0".
std::int64_t offset_of(std::string_view text, std::string_view clock) {
  std::int64_t parts[2] = {0, 0};
  std::size_t at = text.find(clock);
  if (at == std::string_view::npos) return 0;
  at += clock.size();
  for (std::int64_t& part : parts) {
    at = text.find_first_not_of(' ', at);
    if (at == std::string_view::npos) return 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), part);
    if (error != std::errc{}) return 0;
    at = static_cast<std::size_t>(end - text.data());
  }
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(parts[0], std::int64_t{1'000'000'000}, &ns)) return 0;
  return __builtin_add_overflow(ns, parts[1], &ns) ? 0 : ns;
}

// The file tells of the namespace that the next child will be in. One that was made by unshare(2) without a fork is another
// than that of this process, whose offsets nothing tells: they are taken as none then.
TimeOffsets offsets_of_this_process() {
  char own[64] = {}, of_children[64] = {}, text[256];
  if (::readlink("/proc/self/ns/time", own, sizeof own - 1) <= 0 ||
      ::readlink("/proc/self/ns/time_for_children", of_children, sizeof of_children - 1) <= 0 ||
      std::string_view(own) != of_children)
    return {};
  const UniqueFd file(::open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.get(), text, sizeof text) : 0;
  return size > 0 ? parse_time_offsets({text, static_cast<std::size_t>(size)}) : TimeOffsets{};
}

}  // namespace

TimeOffsets parse_time_offsets(std::string_view text) {
  return {offset_of(text, "monotonic"), offset_of(text, "boottime")};
}

const TimeOffsets& time_offsets() {
  static const TimeOffsets offsets = offsets_of_this_process();
  return offsets;
}

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
