#include "base/stretches.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace plumb {
namespace {

using Bucket = Stretches::Bucket;
using Part = Stretches::Part;

constexpr unsigned kDropped = 52 - 6;  // bits of the mantissa
constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
constexpr std::uint32_t kKeys = std::uint32_t{1} << (64 - kDropped);

// As unsigned numbers, the bits of positive doubles rise with their values and those of negative ones fall.
std::uint32_t key_of(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);  // -0 is 0
  return static_cast<std::uint32_t>(((bits & kSign) != 0 ? ~bits : bits | kSign) >> kDropped);
}

double value_of(std::uint32_t key) {
  const std::uint64_t bits = std::uint64_t{key} << kDropped;
  return std::bit_cast<double>((bits & kSign) != 0 ? bits & ~kSign : ~bits);
}

void add(std::uint32_t& count, std::uint32_t more) {
  if (__builtin_add_overflow(count, more, &count)) count = std::numeric_limits<std::uint32_t>::max();
}

void add(Part& part, Bucket more) {
  const auto at = std::ranges::lower_bound(part, more.key, {}, &Bucket::key);
  if (at != part.end() && at->key == more.key) {
    add(at->count, more.count);
  } else {
    part.insert(at, more);
  }
}

std::uint64_t size_of(const Part& part) {
  std::uint64_t n = 0;
  for (const Bucket& b : part) n += b.count;
  return n;
}

double quantile(const Part& part, double q) {
  const auto n = static_cast<double>(size_of(part));
  const auto rank = static_cast<std::uint64_t>(std::max(std::ceil(q * n), 1.0));
  std::uint64_t below = 0;
  for (const Bucket& b : part) {
    if ((below += b.count) >= rank) return value_of(b.key);
  }
  return value_of(part.back().key);
}

double share(const Part& part) {
  const auto zeros = std::ranges::find(part, key_of(0), &Bucket::key);
  const auto n = static_cast<double>(size_of(part));
  return zeros == part.end() ? 1 : 1 - static_cast<double>(zeros->count) / n;
}

template <class Figure>
std::optional<Stretches::Range> range(const std::vector<Part>& parts, Figure figure) {
  if (parts.size() < Stretches::kParts) return std::nullopt;
  std::vector<double> figures;
  for (const Part& part : parts) figures.push_back(figure(part));
  std::ranges::sort(figures);
  return Stretches::Range{figures[Stretches::kOdd], figures[figures.size() - 1 - Stretches::kOdd]};
}

}  // namespace

void Stretches::observe(double value) {
  if (std::isnan(value)) return;
  value = std::clamp(value, -std::numeric_limits<double>::max(), std::numeric_limits<double>::max());
  if (stretches_.size() == kMost && last_ == capacity_) {
    for (std::size_t i = 0; i < kMost / 2; ++i) {
      Part both = std::move(stretches_[2 * i]);
      for (const Bucket& b : stretches_[2 * i + 1]) add(both, b);
      stretches_[i] = std::move(both);
    }
    stretches_.resize(kMost / 2);
    capacity_ *= 2;
    last_ = capacity_;
  }
  if (stretches_.empty() || last_ == capacity_) {
    stretches_.emplace_back();
    last_ = 0;
  }
  add(stretches_.back(), {key_of(value), 1});
  ++last_;
}

std::vector<Part> Stretches::parts() const {
  std::vector<Part> out(std::min(stretches_.size(), kParts));
  for (std::size_t i = 0; i < stretches_.size(); ++i) {
    Part& part = out[i * out.size() / stretches_.size()];
    for (const Bucket& b : stretches_[i]) add(part, b);
  }
  return out;
}

std::optional<Stretches::Range> Stretches::quantiles(double q) const {
  return range(parts(), [q](const Part& part) { return quantile(part, q); });
}

std::optional<Stretches::Range> Stretches::shares() const {
  return range(parts(), share);
}

std::optional<Stretches> Stretches::restored(std::vector<Part> parts) {
  if (parts.size() > kParts) return std::nullopt;
  for (const Part& part : parts) {
    const auto rises = [](const Bucket& a, const Bucket& b) { return a.key >= b.key; };
    if (part.empty() || std::ranges::adjacent_find(part, rises) != part.end() ||
        std::ranges::any_of(part, [](const Bucket& b) { return b.count == 0; }))
      return std::nullopt;
    if (part.back().key >= kKeys || !std::isfinite(value_of(part.front().key)) ||
        !std::isfinite(value_of(part.back().key)))
      return std::nullopt;
  }
  Stretches out;
  out.stretches_ = std::move(parts);
  return out;
}

}  // namespace plumb
