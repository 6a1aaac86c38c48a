// Quantiles of a stream in bounded memory, within a relative error of 1/256 (0.4 %) of the truth.
//
// A log-linear histogram: each power of two is cut into 128 buckets of equal width, as HdrHistogram does. The
// bucket of a number is read off its IEEE 754 bits (exponent and the top 7 bits of the mantissa), so that
// integers, durations in nanoseconds and real numbers take the same path. Half a bucket is at most 1/256 of
// the number. 1 KiB is taken for each power of two (and sign) that occurs: latencies from 1 us to 1 min take
// 27 KiB, and nothing takes over 258 KiB.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace plumb {

class Quantiles {
 public:
  // A quantile differs from the value at its rank by at most this part of that value.
  static constexpr double kRelativeError = 1.0 / 256;
  // Numbers nearer to 0 than this count as 0; those beyond kLargest fall into the last bucket.
  static constexpr double kSmallest = 0x1p-64;
  static constexpr double kLargest = 0x1p64;

  // NaN is passed over.
  void observe(double value);
  void merge(const Quantiles& other);

  std::uint64_t count() const { return count_; }
  // The value at rank ceil(q * count), the smallest being rank 1 (nearest rank). Nothing when nothing was
  // observed. Exact for whole numbers below 256 while all numbers are whole; never outside [min, max].
  std::optional<double> quantile(double q) const;
  // As exact as a double: whole numbers up to 2^53. The sum is compensated, so that its error does not grow
  // with count.
  std::optional<double> min() const { return count_ == 0 ? std::nullopt : std::optional(min_); }
  std::optional<double> max() const { return count_ == 0 ? std::nullopt : std::optional(max_); }
  double sum() const { return sum_ + lost_; }
  std::optional<double> mean() const {
    return count_ == 0 ? std::nullopt : std::optional(sum() / static_cast<double>(count_));
  }

  // For keeping it beyond the run: the numbers beside the buckets, and the buckets that hold something, by rising value.
  struct Figures {
    std::uint64_t count = 0, zeros = 0;
    bool whole = true;
    double min = 0, max = 0, sum = 0;
  };
  using Bucket = std::pair<std::uint32_t, std::uint64_t>;  // its number, and how many values
  Figures figures() const { return {count_, zeros_, whole_, min_, max_, sum()}; }
  std::vector<Bucket> filled() const;
  // What was kept, again; nothing where it contradicts itself.
  static std::optional<Quantiles> restored(const Figures& figures, std::span<const Bucket> filled);

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr unsigned kSub = 1U << kSubBits;
  static constexpr unsigned kPowers = 128;  // 2^-64 to 2^63
  static constexpr unsigned kGroups = 2 * kPowers;
  static constexpr std::uint16_t kNone = 0xffff;
  using Buckets = std::array<std::uint64_t, kSub>;

  Buckets& group(unsigned g);
  void add(double value);
  double representative(unsigned group, unsigned bucket) const;

  // Groups by rising value: negative powers from the largest to the smallest, then positive ones. slot_ finds
  // a group in buckets_, which holds only those that occur.
  std::array<std::uint16_t, kGroups> slot_ = make_empty();
  static constexpr std::array<std::uint16_t, kGroups> make_empty() {
    std::array<std::uint16_t, kGroups> a{};
    a.fill(kNone);
    return a;
  }
  std::vector<Buckets> buckets_;
  std::uint64_t zeros_ = 0;
  std::uint64_t count_ = 0;
  bool whole_ = true;
  double min_ = 0;
  double max_ = 0;
  double sum_ = 0;
  double lost_ = 0;  // what additions to sum_ rounded away (Neumaier)
};

}  // namespace plumb
