#include "base/clock.h"

#include <doctest/doctest.h>

using namespace plumb;

namespace {

// Every reading takes `cost` nanoseconds; each `slow`-th is interrupted for a millisecond.
class FakeClock final : public ClockSource {
 public:
  BootTime boot() const override { return {static_cast<std::uint64_t>(tick())}; }
  UnixTime real() const override { return {tick() + offset}; }

  std::int64_t tick() const {
    ++readings;
    now += slow != 0 && readings % slow == 0 ? 1'000'000 : cost;
    return now;
  }

  mutable std::int64_t now = 5'000'000'000;
  mutable int readings = 0;
  std::int64_t offset = 1'763'700'000'000'000'000;
  std::int64_t cost = 40;
  int slow = 0;
};

}  // namespace

TEST_CASE("the anchor is right within its own error bound") {
  FakeClock source;
  const BootClock clock(source);
  CHECK(clock.error_bound_ns() == 40);  // two readings of 40 ns between the boot readings
  const std::int64_t error = clock.to_unix({7'000'000'000}).ns - (7'000'000'000 + source.offset);
  CHECK(error >= -clock.error_bound_ns());
  CHECK(error <= clock.error_bound_ns());
}

TEST_CASE("interruptions while anchoring are passed over") {
  FakeClock source;
  source.slow = 5;
  const BootClock clock(source);
  CHECK(clock.error_bound_ns() == 40);
}

TEST_CASE("to_unix does not read a clock") {
  FakeClock source;
  const BootClock clock(source);
  const int before = source.readings;
  for (std::uint64_t t = 0; t < 1000; ++t) CHECK(clock.to_unix({t}).ns + 1 == clock.to_unix({t + 1}).ns);
  CHECK(source.readings == before);
}

TEST_CASE("a stepped clock moves the anchor and is reported, a slewed one is not") {
  FakeClock source;
  BootClock clock(source);
  CHECK(clock.refresh() == 0);

  source.offset += 400'000;  // 0.4 ms in a second: the most that adjtimex slews is 0.5
  CHECK(clock.refresh() == 0);
  CHECK(clock.to_unix({0}).ns == doctest::Approx(static_cast<double>(source.offset)));

  source.offset += 3'600'000'000'000;
  CHECK(clock.refresh() == 3'600'000'000'000);
  CHECK(clock.refresh() == 0);

  source.offset -= 7'200'000'000'000;
  CHECK(clock.refresh() == -7'200'000'000'000);
}

TEST_CASE("the system's clocks advance and agree") {
  const BootClock clock;
  const BootTime before = clock.now();
  CHECK(clock.now() >= before);
  CHECK(clock.to_unix(before) <= system_clock_source().real());
  CHECK(clock.error_bound_ns() < 1'000'000'000);
}

TEST_CASE("impossible times do not wrap") {
  FakeClock source;
  const BootClock clock(source);
  CHECK(clock.to_unix({UINT64_MAX}).ns == INT64_MAX);
  CHECK(clock.to_unix({static_cast<std::uint64_t>(INT64_MAX)}).ns == INT64_MAX);
  CHECK(between({5}, {3}).ns == -2);
  CHECK(between({INT64_MIN}, {1}).ns == INT64_MAX);
  CHECK(between({INT64_MAX}, {-2}).ns == INT64_MIN);
}

TEST_CASE("offsets of a time namespace") {
  const TimeOffsets both =
      parse_time_offsets("monotonic         -10  500000000\nboottime      100000         0\n");
  CHECK(both.monotonic_ns == -9'500'000'000);
  CHECK(both.boot_ns == 100'000'000'000'000);
  CHECK(parse_time_offsets("boottime 7 8").boot_ns == 7'000'000'008);
  for (const char* broken : {"", "boottime", "boottime x 0", "boottime 1", "boottime 99999999999 0",
                             "boottime 9223372036 854775808", "monotonic 1 2\n"}) {
    CHECK(parse_time_offsets(broken).boot_ns == 0);
  }
}
