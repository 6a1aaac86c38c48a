#include "query/estimate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace plumb::query {
namespace {

constexpr double kZ = 1.959964;       // of the normal distribution, 97.5 %
constexpr double kZPower = 1.644854;  // 95 %: how surely a difference that is there shall be found
constexpr double kInfinite = std::numeric_limits<double>::infinity();

// The ranks, from 1, of the two sorted values that enclose the quantile; beyond [1, n] there is none. Binomial, by its
// normal approximation, rounded outwards.
std::array<double, 2> ranks(double n, double q) {
  const double spread = kZ * std::sqrt(n * q * (1 - q));
  return {std::floor(n * q - spread), std::ceil(n * q + spread) + 1};
}

std::uint64_t least_rows(double q) {
  double n = 2;
  constexpr double kMost = 1e9;
  const auto bounded = [q](double rows) { return ranks(rows, q)[0] >= 1 && ranks(rows, q)[1] <= rows; };
  while (n < kMost && !bounded(n)) n = std::ceil(n * 1.02 + 1);
  return static_cast<std::uint64_t>(n);
}

// Where the two bounds lie so many times the value apart.
Estimate combined(double value, double below_a, double above_a, double below_b, double above_b,
                  const Estimate& a, const Estimate& b) {
  return {value, value - std::hypot(below_a, below_b), value + std::hypot(above_a, above_b),
          std::max(a.rows, b.rows), std::max(a.least, b.least)};
}

bool is_exact(const Estimate& e) {
  return e.low == e.value && e.high == e.value;
}

Estimate scaled(const Estimate& e, double by) {
  if (by == 0) return {0, 0, 0, e.rows, e.least};
  const double a = e.low * by, b = e.high * by;
  return {e.value * by, std::min(a, b), std::max(a, b), e.rows, e.least};
}

}  // namespace

std::optional<Estimate> quantile_estimate(const Quantiles& values, double q) {
  const auto value = values.quantile(q);
  if (!value) return std::nullopt;
  const auto n = static_cast<double>(values.count());
  const auto [low, high] = ranks(n, q);
  const auto at = [&](double rank) { return values.quantile((rank - 0.5) / n).value_or(*value); };
  return Estimate{*value, low >= 1 ? std::min(at(low), *value) : -kInfinite,
                  high <= n ? std::max(at(high), *value) : kInfinite, values.count(), least_rows(q)};
}

std::optional<Estimate> share_estimate(std::uint64_t held, std::uint64_t rows) {
  if (rows == 0) return std::nullopt;
  const auto n = static_cast<double>(rows);
  const double p = static_cast<double>(held) / n;
  const double z2 = kZ * kZ;
  const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  return Estimate{p, std::clamp(middle - half, 0.0, p), std::clamp(middle + half, p, 1.0), rows, 1};
}

std::optional<Estimate> widened(std::optional<Estimate> e, const std::optional<Stretches::Range>& parts) {
  if (!e || !parts) return e;
  // The parts know a value to a 64th, rounded down: what is no further off is no variation.
  if (parts->low < e->low - std::abs(e->low) / 64) e->low = parts->low;
  e->high = std::max(e->high, parts->high);
  return e;
}

Estimate operator+(const Estimate& a, const Estimate& b) {
  return combined(a.value + b.value, a.value - a.low, a.high - a.value, b.value - b.low, b.high - b.value, a,
                  b);
}

Estimate operator-(const Estimate& a, const Estimate& b) {
  return combined(a.value - b.value, a.value - a.low, a.high - a.value, b.high - b.value, b.value - b.low, a,
                  b);
}

Estimate operator*(const Estimate& a, const Estimate& b) {
  if (is_exact(a)) return scaled(b, a.value);
  if (is_exact(b)) return scaled(a, b.value);
  const std::array ends = {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
  const bool open = std::ranges::any_of(ends, [](double e) { return std::isnan(e); });
  return {a.value * b.value, open ? -kInfinite : std::ranges::min(ends),
          open ? kInfinite : std::ranges::max(ends), std::max(a.rows, b.rows), std::max(a.least, b.least)};
}

std::optional<Estimate> divided(const Estimate& a, const Estimate& b) {
  if (b.value == 0) return std::nullopt;
  if (is_exact(b)) return scaled(a, 1 / b.value);
  if (b.low <= 0 && b.high >= 0)
    return Estimate{a.value / b.value, -kInfinite, kInfinite, std::max(a.rows, b.rows),
                    std::max(a.least, b.least)};
  return a * Estimate{1 / b.value, 1 / b.high, 1 / b.low, b.rows, b.least};
}

Truth compare(const Estimate& a, Compare c, const Estimate& b) {
  const Estimate d = a - b;
  const auto told = [](bool yes, bool no) { return yes ? Truth::yes : no ? Truth::no : Truth::maybe; };
  switch (c) {
    case Compare::greater:
      return told(d.low > 0, d.high <= 0);
    case Compare::greater_equal:
      return told(d.low >= 0, d.high < 0);
    case Compare::less:
      return told(d.high < 0, d.low >= 0);
    case Compare::less_equal:
      return told(d.high <= 0, d.low > 0);
    case Compare::equal:
      return d.value == 0 ? Truth::yes : Truth::no;
    case Compare::not_equal:
      return d.value != 0 ? Truth::yes : Truth::no;
    default:
      return Truth::no;
  }
}

// An interval's width goes with the root of the number of rows.
std::optional<std::uint64_t> rows_needed(const Estimate& a, const Estimate& b) {
  const Estimate d = a - b;
  const double side = d.value > 0 ? d.value - d.low : d.high - d.value;
  if (!std::isfinite(side)) return d.least;
  if (d.value == 0) return std::nullopt;
  const double times = side / std::abs(d.value) * (kZ + kZPower) / kZ;
  const double rows = std::ceil(static_cast<double>(d.rows) * times * times);
  if (!(rows <= static_cast<double>(kMostRows))) return std::nullopt;
  return std::max(static_cast<std::uint64_t>(rows), d.least);
}

}  // namespace plumb::query
