#include "profile/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace plumb::profile {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The odds' ratio from the share that the second odds have of both together.
double ratio(double part) {
  if (part >= 1) return kInfinity;
  return part <= 0 ? 0 : part / (1 - part);
}

// `bound` is on one side of `estimate` (log ratios); the spread from run to run moves it further away.
double widened(double bound, double estimate, double z, double sign) {
  const double spread = z * std::numbers::sqrt2 * kRunToRun;
  if (!std::isfinite(bound)) return bound;
  if (!std::isfinite(estimate)) return bound + sign * spread;
  return estimate + sign * std::hypot(estimate - bound, spread);
}

}  // namespace

Interval change_of(const Observed& before, const Observed& after, double z) {
  const double n1 = before.samples, n2 = after.samples;
  if (n1 <= 0 || n2 <= 0 || (before.share <= 0 && after.share <= 0)) return {-1, 0, kInfinity};
  const double x1 = before.share * n1, x2 = after.share * n2;
  if (before.share >= 1 && after.share >= 1) return {0, 0, 0};  // all there is, then and now
  const double y1 = std::max(n1 - x1, 0.5), y2 = std::max(n2 - x2, 0.5);
  const double odds1 = x1 / y1, odds2 = x2 / y2, sum = odds1 + odds2;
  const double part = odds2 / sum;
  // 1 / (V p (1 - p)), where V = 1/x1 + 1/y1 + 1/x2 + 1/y2 is the log odds ratio's variance; this form has no zero below.
  const double trials = sum * sum / ((x1 + y1) * x2 / (y1 * y1 * y2) + (x2 + y2) * x1 / (y2 * y2 * y1));
  const double square = z * z, scale = 1 + square / trials;
  const double centre = (part + square / (2 * trials)) / scale;
  const double half = z / scale * std::sqrt(part * (1 - part) / trials + square / (4 * trials * trials));
  const double estimate = std::log(ratio(part));
  const double low = widened(std::log(ratio(centre - half)), estimate, z, -1);
  const double high = widened(std::log(ratio(centre + half)), estimate, z, +1);
  return {std::exp(low) - 1, std::exp(estimate) - 1, std::exp(high) - 1};
}

// By bisection: exact enough in 60 steps, and no table of coefficients.
double normal_quantile(double tail) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::numbers::sqrt2) / 2 > tail ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace plumb::profile
