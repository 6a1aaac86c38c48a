// A run cut into parts in the order in which its values came.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/stretches.h"

using namespace plumb;

namespace {

Stretches of(const std::vector<double>& values) {
  Stretches s;
  for (const double v : values) s.observe(v);
  return s;
}

std::uint64_t size_of(const Stretches::Part& part) {
  std::uint64_t n = 0;
  for (const Stretches::Bucket& b : part) n += b.count;
  return n;
}

}  // namespace

TEST_CASE("stretches: sixteen parts of about as many values, however many there are") {
  for (const std::size_t n : {0U, 1U, 15U, 16U, 17U, 63U, 64U, 65U, 129U, 1000U, 12345U, 100'000U}) {
    const auto parts = of(std::vector<double>(n, 3)).parts();
    REQUIRE(parts.size() == std::min<std::size_t>(n, Stretches::kParts));
    std::uint64_t all = 0, least = n, most = 0;
    for (const auto& part : parts) {
      const std::uint64_t size = size_of(part);
      all += size, least = std::min(least, size), most = std::max(most, size);
    }
    CHECK(all == n);
    CHECK_MESSAGE(most <= 3 * least, n << " values: parts of " << least << " to " << most);
  }
}

TEST_CASE("stretches: what three odd parts say does not count, what four say does") {
  const auto range = [](std::size_t odd) {
    Stretches s;
    for (std::size_t i = 0; i < 1600; ++i) s.observe(i < odd * 100 ? 64 : 8);
    return *s.quantiles(0.99);
  };
  CHECK(range(0).high == 8);
  CHECK(range(3).high == 8);
  CHECK(range(3).low == 8);
  CHECK(range(5).high == 64);
  CHECK(range(5).low == 8);
  CHECK(range(16).low == 64);
}

TEST_CASE("stretches: values below, at and above 0, and those that are none") {
  Stretches s;
  for (int i = 0; i < 40; ++i) {
    for (const double v : {-1000.0, -0.0, 0.0, 2.5, 1e9}) s.observe(v);
  }
  s.observe(std::nan(""));
  CHECK(s.quantiles(0.1)->low <= -1000);
  CHECK(s.quantiles(0.1)->low > -1020);
  CHECK(s.quantiles(0.5)->low == 0);
  CHECK(s.quantiles(0.7)->low == 2.5);
  CHECK(s.quantiles(1)->high > 0.98e9);
  CHECK(s.quantiles(1)->high <= 1e9);
  CHECK(s.shares()->low == doctest::Approx(0.6).epsilon(0.1));
  Stretches edges;
  for (int i = 0; i < 64; ++i) edges.observe(std::numeric_limits<double>::infinity() * (i % 2 == 0 ? 1 : -1));
  CHECK(std::isfinite(edges.quantiles(0)->low));
  CHECK(std::isfinite(edges.quantiles(1)->high));
  CHECK(!of({1, 2, 3}).quantiles(0.5));
  CHECK(!of({}).shares());
}

TEST_CASE("stretches: shares of parts") {
  Stretches s;
  for (int i = 0; i < 1600; ++i) s.observe(i >= 800 ? 1 : 0);
  CHECK(s.shares()->low == 0);
  CHECK(s.shares()->high == 1);
}

TEST_CASE("stretches: kept and restored they say the same, and nonsense is refused") {
  Stretches s;
  for (int i = 0; i < 5000; ++i) s.observe(std::fmod(i * 7.31, 97.0) - 20);
  const auto again = Stretches::restored(s.parts());
  REQUIRE(again);
  for (const double q : {0.01, 0.5, 0.99}) {
    CHECK(again->quantiles(q)->low == s.quantiles(q)->low);
    CHECK(again->quantiles(q)->high == s.quantiles(q)->high);
  }
  CHECK(again->parts() == s.parts());
  CHECK(Stretches::restored({}));
  using Parts = std::vector<Stretches::Part>;
  for (const Parts& bad : {Parts(17, {{131072, 1}}), Parts{{}}, Parts{{{5, 0}}},
                           Parts{{{140000, 1}, {140000, 1}}}, Parts{{{140001, 1}, {140000, 1}}},
                           Parts{{{1U << 18, 1}}}, Parts{{{(1U << 18) - 1, 1}}}, Parts{{{0, 1}}}})
    CHECK(!Stretches::restored(bad));
}
