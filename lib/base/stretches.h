// A run's values in the order in which they came, cut into sixteen parts of about as many values each: how much a figure moves
// from part to part tells what the number of values cannot. Values of one burst, or of one moment in which the machine was
// busy, resemble each other; a thousand of them say no more than a few that are independent.
//
// How long a run will be is not known before its end. So values are kept in up to 64 stretches of equal numbers; when those
// are full, each two neighbours become one. A stretch is its distinct values, rounded down to 6 bits of mantissa (1.6 %), with
// their counts: it takes 8 bytes for each, whatever the number of rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace plumb {

class Stretches {
 public:
  static constexpr std::size_t kParts = 16;
  // The fourth least and the fourth most of the sixteen parts' figures enclose the one in the middle with 97.9 % confidence
  // where parts are independent (order statistics of the median), and no three odd parts can move either.
  static constexpr std::size_t kOdd = 3;

  struct Range {
    double low = 0, high = 0;
  };
  struct Bucket {
    std::uint32_t key = 0;  // of the value
    std::uint32_t count = 0;
    friend bool operator==(const Bucket&, const Bucket&) = default;
  };
  using Part = std::vector<Bucket>;  // by rising value, each once

  // NaN is passed over.
  void observe(double value);

  // Of the parts' quantiles, and of the parts' shares of values that are not 0. Nothing: there are fewer values than parts.
  std::optional<Range> quantiles(double q) const;
  std::optional<Range> shares() const;

  // For keeping them beyond the run: the parts, fewer where there are fewer values.
  std::vector<Part> parts() const;
  // What was kept, again; nothing where it is none. To be asked, not to be added to.
  static std::optional<Stretches> restored(std::vector<Part> parts);

 private:
  static constexpr std::size_t kMost = 4 * kParts;

  std::vector<Part> stretches_;
  std::uint64_t capacity_ = 1;  // of each
  std::uint64_t last_ = 0;      // values in the last one
};

}  // namespace plumb
