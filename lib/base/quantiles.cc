#include "base/quantiles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace plumb {
namespace {

constexpr unsigned kMantissaBits = 52;
constexpr int kBias = 1023;
constexpr int kLowestPower = -64;

}  // namespace

Quantiles::Buckets& Quantiles::group(unsigned g) {
  if (slot_[g] == kNone) {
    slot_[g] = static_cast<std::uint16_t>(buckets_.size());
    buckets_.push_back({});
  }
  return buckets_[slot_[g]];
}

// Neumaier's summation: the part of each addition that did not fit is kept apart.
void Quantiles::add(double value) {
  const double sum = sum_ + value;
  lost_ += std::abs(sum_) >= std::abs(value) ? (sum_ - sum) + value : (value - sum) + sum_;
  sum_ = sum;
}

void Quantiles::observe(double value) {
  if (std::isnan(value)) return;
  value = std::clamp(value, -std::numeric_limits<double>::max(), std::numeric_limits<double>::max());
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  add(value);
  whole_ = whole_ && value == std::trunc(value);
  const double size = std::min(std::abs(value), std::nextafter(kLargest, 0.0));
  if (size < kSmallest) {
    ++zeros_;
    return;
  }
  const auto bits = std::bit_cast<std::uint64_t>(size);
  const int power = static_cast<int>(bits >> kMantissaBits) - kBias;
  const auto index = static_cast<unsigned>(power - kLowestPower);
  const auto bucket = static_cast<unsigned>(bits >> (kMantissaBits - kSubBits)) & (kSub - 1);
  if (value < 0) {
    ++group(kPowers - 1 - index)[kSub - 1 - bucket];
  } else {
    ++group(kPowers + index)[bucket];
  }
}

void Quantiles::merge(const Quantiles& other) {
  if (other.count_ == 0) return;
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  zeros_ += other.zeros_;
  whole_ = whole_ && other.whole_;
  const double lost = other.lost_;
  add(other.sum_);
  add(lost);
  for (unsigned g = 0; g < kGroups; ++g) {
    if (other.slot_[g] == kNone) continue;
    Buckets& mine = group(g);
    const Buckets& theirs = other.buckets_[other.slot_[g]];
    for (unsigned b = 0; b < kSub; ++b) mine[b] += theirs[b];
  }
}

// The middle of a bucket; of buckets that hold one whole number only, that number.
double Quantiles::representative(unsigned g, unsigned bucket) const {
  const bool negative = g < kPowers;
  const unsigned index = negative ? kPowers - 1 - g : g - kPowers;
  const unsigned sub = negative ? kSub - 1 - bucket : bucket;
  const int power = static_cast<int>(index) + kLowestPower;
  const double width = std::ldexp(1.0, power - static_cast<int>(kSubBits));
  const double low = std::ldexp(1.0, power) + sub * width;
  const double value = whole_ && width <= 1 ? low : low + width / 2;
  return negative ? -value : value;
}

std::optional<double> Quantiles::quantile(double q) const {
  if (count_ == 0) return std::nullopt;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  if (rank == 1) return min_;
  if (rank == count_) return max_;
  std::uint64_t below = 0;
  for (unsigned g = 0; g < kGroups; ++g) {
    if (g == kPowers && (below += zeros_) >= rank) return std::clamp(0.0, min_, max_);
    if (slot_[g] == kNone) continue;
    const Buckets& buckets = buckets_[slot_[g]];
    for (unsigned b = 0; b < kSub; ++b) {
      if ((below += buckets[b]) >= rank) return std::clamp(representative(g, b), min_, max_);
    }
  }
  return max_;
}

std::vector<Quantiles::Bucket> Quantiles::filled() const {
  std::vector<Bucket> out;
  for (unsigned g = 0; g < kGroups; ++g) {
    if (slot_[g] == kNone) continue;
    const Buckets& buckets = buckets_[slot_[g]];
    for (unsigned b = 0; b < kSub; ++b) {
      if (buckets[b] != 0) out.emplace_back(g * kSub + b, buckets[b]);
    }
  }
  return out;
}

std::optional<Quantiles> Quantiles::restored(const Figures& f, std::span<const Bucket> filled) {
  Quantiles q;
  if (!std::isfinite(f.min) || !std::isfinite(f.max) || !std::isfinite(f.sum) || f.min > f.max)
    return std::nullopt;
  std::uint64_t count = f.zeros;
  for (const auto& [number, values] : filled) {
    if (number >= kGroups * kSub || __builtin_add_overflow(count, values, &count)) return std::nullopt;
    q.group(number / kSub)[number % kSub] += values;
  }
  if (count != f.count) return std::nullopt;
  q.zeros_ = f.zeros;
  q.count_ = f.count;
  q.whole_ = f.whole;
  q.min_ = f.min;
  q.max_ = f.max;
  q.sum_ = f.sum;
  return q;
}

}  // namespace plumb
