// Reading back the histograms that BPF programs fill (bpf/histogram.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/clock.h"

namespace plumb {

// The value at quantile q (0 to 1) by the nearest-rank rule, at the middle of its bucket: within 6.25 % of
// the truth, exact below 8 us. Nothing when the histogram is empty.
std::optional<Duration> histogram_quantile(std::span<const std::uint32_t> buckets, double q);

}  // namespace plumb
