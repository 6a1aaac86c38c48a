#include "probe/kernel_histogram.h"

#include <algorithm>
#include <cmath>

#include "bpf/histogram.h"

namespace plumb {
namespace {

// The middle of a bucket in microseconds: the inverse of histogram_bucket().
double bucket_middle_us(std::size_t bucket) {
  if (bucket < HISTOGRAM_SUB) return static_cast<double>(bucket);
  const std::size_t power = bucket / HISTOGRAM_SUB - 1;  // how far the sub-bucket is shifted
  const std::size_t sub = bucket % HISTOGRAM_SUB + HISTOGRAM_SUB;
  return std::ldexp(static_cast<double>(sub) + 0.5, static_cast<int>(power));
}

}  // namespace

std::optional<Duration> histogram_quantile(std::span<const std::uint32_t> buckets, double q) {
  std::uint64_t total = 0;
  for (const std::uint32_t n : buckets) total += n;
  if (total == 0) return std::nullopt;
  const auto rank =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total))));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    below += buckets[i];
    if (below >= rank) return Duration{static_cast<std::int64_t>(bucket_middle_us(i) * 1000)};
  }
  return std::nullopt;
}

}  // namespace plumb
