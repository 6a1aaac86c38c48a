// Quantiles against the sorted values themselves, over many shapes of data.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "base/quantiles.h"

using plumb::Quantiles;

namespace {

constexpr double kRanks[] = {0, 1e-9, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

double exact(const std::vector<double>& sorted, double q) {
  const double rank = std::ceil(q * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

void compare(const Quantiles& measured, std::vector<double> values, const char* name) {
  std::sort(values.begin(), values.end());
  REQUIRE(measured.count() == values.size());
  CHECK(measured.min() == values.front());
  CHECK(measured.max() == values.back());
  for (const double q : kRanks) {
    const double truth = exact(values, q);
    const double got = *measured.quantile(q);
    CHECK_MESSAGE(std::abs(got - truth) <= Quantiles::kRelativeError * std::abs(truth),
                  name << " q=" << q << " got " << got << " not " << truth);
  }
}

std::vector<double> draw(std::size_t n, const std::function<double(std::mt19937_64&)>& next) {
  std::mt19937_64 random(n);
  std::vector<double> v(n);
  for (double& x : v) x = next(random);
  return v;
}

Quantiles observed(const std::vector<double>& values) {
  Quantiles q;
  for (const double v : values) q.observe(v);
  return q;
}

}  // namespace

TEST_CASE("quantiles: of nothing there are none") {
  const Quantiles q;
  CHECK(q.count() == 0);
  CHECK_FALSE(q.quantile(0.5).has_value());
  CHECK_FALSE(q.min().has_value());
  CHECK_FALSE(q.max().has_value());
  CHECK_FALSE(q.mean().has_value());
  CHECK(q.sum() == 0);
}

TEST_CASE("quantiles: one value is every quantile, exactly") {
  for (const double v : {0.0, 1.0, -1.0, 0.1, 12.3e6, 1e18, -1e18, 0x1p63, 1e300, -1e300, 1e-300}) {
    const Quantiles q = observed({v});
    for (const double rank : kRanks) CHECK(*q.quantile(rank) == v);
    CHECK(*q.mean() == v);
  }
}

TEST_CASE("quantiles: within the stated error of the truth") {
  for (const std::size_t n : {2UL, 3UL, 10UL, 999UL, 50'000UL}) {
    const auto check = [&](const char* name, const std::function<double(std::mt19937_64&)>& next) {
      const auto values = draw(n, next);
      compare(observed(values), values, name);
    };
    check("zeros", [](auto&) { return 0.0; });
    check("constant", [](auto&) { return 777'777.0; });
    check("uniform", [](auto& r) { return std::uniform_real_distribution<>(0, 1)(r); });
    check("small whole", [](auto& r) { return static_cast<double>(r() % 256); });
    check("whole", [](auto& r) { return static_cast<double>(r() % 10'000'000); });
    check("any int64", [](auto& r) { return static_cast<double>(static_cast<std::int64_t>(r())); });
    check("any uint64", [](auto& r) { return static_cast<double>(r()); });
    check("exponential", [](auto& r) { return std::exponential_distribution<>(1e-6)(r); });
    check("lognormal", [](auto& r) { return std::lognormal_distribution<>(10, 3)(r); });
    check("normal", [](auto& r) { return std::normal_distribution<>(0, 1000)(r); });
    check("two humps", [](auto& r) { return r() % 10 == 0 ? 3e9 : 1e5 + static_cast<double>(r() % 1000); });
    check("mostly zero", [](auto& r) { return r() % 5 == 0 ? 1e9 : 0.0; });
    check("powers of two", [](auto& r) { return std::ldexp(1.0, static_cast<int>(r() % 64)); });
    check("below powers of two",
          [](auto& r) { return std::nextafter(std::ldexp(1.0, static_cast<int>(r() % 60)), 0); });
    check("heavy tail", [](auto& r) { return std::pow(std::uniform_real_distribution<>(1e-6, 1)(r), -2); });
  }
}

TEST_CASE("quantiles: whole numbers below 256 are exact") {
  Quantiles q;
  for (int i = 1; i <= 255; ++i) q.observe(i);
  for (int i = 1; i <= 255; ++i) CHECK(*q.quantile(i / 255.0 - 1e-9) == i);
}

TEST_CASE("quantiles: negative numbers sort below zero") {
  const Quantiles q = observed({-100, -10, -1, 0, 1, 10, 100});
  CHECK(*q.quantile(2.0 / 7) == -10);
  CHECK(*q.quantile(3.0 / 7) == -1);
  CHECK(*q.quantile(4.0 / 7) == 0);
  CHECK(*q.quantile(5.0 / 7) == 1);
}

TEST_CASE("quantiles: what is beyond the range neither crashes nor leaves [min, max]") {
  const double huge = std::numeric_limits<double>::max();
  Quantiles q =
      observed({-huge, -1e30, -0x1p64, 1e-200, 0x1p64, 1e30, huge, std::numeric_limits<double>::infinity()});
  q.observe(std::numeric_limits<double>::quiet_NaN());
  CHECK(q.count() == 8);
  double last = -huge;
  for (const double rank : kRanks) {
    const double v = *q.quantile(rank);
    CHECK(v >= last);
    CHECK(v <= huge);
    last = v;
  }
  CHECK(*q.quantile(-1) == -huge);
  CHECK(*q.quantile(2) == huge);
}

TEST_CASE("quantiles: merging is observing all of it") {
  const auto a = draw(5000, [](auto& r) { return std::lognormal_distribution<>(5, 2)(r); });
  const auto b = draw(3000, [](auto& r) { return std::normal_distribution<>(0, 9)(r); });
  Quantiles merged = observed(a);
  merged.merge(observed(b));
  merged.merge(Quantiles{});
  std::vector<double> all = a;
  all.insert(all.end(), b.begin(), b.end());
  compare(merged, all, "merged");
  const Quantiles together = observed(all);
  for (const double q : kRanks) CHECK(*merged.quantile(q) == *together.quantile(q));
  CHECK(merged.sum() == doctest::Approx(together.sum()).epsilon(1e-12));
  Quantiles empty;
  empty.merge(together);
  CHECK(empty.min() == together.min());
  CHECK(empty.max() == together.max());
  CHECK(empty.count() == together.count());
}

TEST_CASE("quantiles: the sum does not drift") {
  Quantiles q;
  q.observe(1e16);
  for (int i = 0; i < 1000; ++i) q.observe(1);
  q.observe(-1e16);
  CHECK(q.sum() == 1000);
}
