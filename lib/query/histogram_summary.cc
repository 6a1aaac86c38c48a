#include "query/histogram_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

#include "event/group_sums.h"

namespace plumb {
namespace {

constexpr std::size_t kLeastBar = 10;
constexpr std::size_t kUsualBar = 50;
constexpr std::size_t kLongestGap = 2;  // of empty buckets that are shown one by one

// Where buckets begin, in ns: 0, then 1, 2 and 5 of each power of ten from 1 us to 1000 s.
constexpr auto kBounds = [] {
  std::array<std::uint64_t, 29> bounds{};
  std::size_t n = 1;
  for (std::uint64_t power = 1'000; power <= 100'000'000'000; power *= 10) {
    for (const std::uint64_t step : {1U, 2U, 5U}) bounds[n++] = step * power;
  }
  bounds[n++] = 1'000'000'000'000;
  return bounds;
}();
static_assert(kBounds.back() == 1'000'000'000'000);

std::string bound_text(std::uint64_t ns) {
  if (ns < 1'000) return fmt::format("{}", ns);
  if (ns < 1'000'000) return fmt::format("{}us", ns / 1'000);
  if (ns < 1'000'000'000) return fmt::format("{}ms", ns / 1'000'000);
  return fmt::format("{}s", ns / 1'000'000'000);
}

class HistogramSummary final : public Summary {
 public:
  HistogramSummary(std::unique_ptr<Summary> summary, const Schema& rows, TypeMask counted)
      : summary_(std::move(summary)), rows_(rows), field_(latency_field(rows)), counted_(counted) {}

  const Schema& schema() const override { return summary_->schema(); }
  void finish(const Out& out) override { summary_->finish(out); }
  std::uint64_t lost() const override { return summary_->lost(); }

  void add(const Row& row) override {
    summary_->add(row);
    if ((counted_ >> row.type() & 1U) == 0) return;
    const Value value = row.carries(field_) ? row.get(field_) : Value{None{}};
    const auto* latency = std::get_if<Duration>(&value);
    if (latency == nullptr) return void(++without_);
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(latency->ns, 0));
    const auto above = std::upper_bound(kBounds.begin(), kBounds.end(), ns);
    ++buckets_[static_cast<std::size_t>(std::distance(kBounds.begin(), above)) - 1];
    ++all_;
  }

  std::string below(std::size_t columns) const override {
    std::string out = fmt::format("\n{:>14}  {:>8}  {:>6}\n", rows_.spec(field_).heading, "COUNT", "UP TO");
    if (all_ != 0) append_buckets(out, columns);
    out += fmt::format("{} row{}", all_, all_ == 1 ? "" : "s");
    if (without_ != 0) out += fmt::format("; {} more without a latency", without_);
    return out += '\n';
  }

 private:
  void append_buckets(std::string& out, std::size_t columns) const {
    constexpr std::size_t kBefore = 34;
    const std::size_t room =
        columns == 0 ? kUsualBar : std::min(columns - std::min(columns, kBefore), kUsualBar);
    const std::uint64_t most = *std::ranges::max_element(buckets_);
    std::size_t first = 0, last = buckets_.size() - 1;
    while (buckets_[first] == 0) ++first;
    while (buckets_[last] == 0) --last;
    std::uint64_t seen = 0;
    for (std::size_t i = first; i <= last; ++i) {
      const std::uint64_t n = buckets_[i];
      if (const std::size_t gap = empty_from(i); gap > kLongestGap) {
        out += "   ...\n";
        i += gap - 1;
        continue;
      }
      seen += n;
      const std::string to = i + 1 == kBounds.size() ? "" : bound_text(kBounds[i + 1]);
      const double part = 100 * static_cast<double>(seen) / static_cast<double>(all_);
      out += fmt::format("{:>5} - {:<6}  {:>8}  {:>5.1f}%", bound_text(kBounds[i]), to, n, part);
      if (room >= kLeastBar && n != 0) {
        const double length = static_cast<double>(n) / static_cast<double>(most) * static_cast<double>(room);
        out += "  ";
        out.append(std::max<std::size_t>(1, static_cast<std::size_t>(length)), '#');
      }
      out += '\n';
    }
  }

  // How many buckets from here on are empty; behind the last one that is not, nobody asks.
  std::size_t empty_from(std::size_t i) const {
    std::size_t n = 0;
    while (i + n < buckets_.size() && buckets_[i + n] == 0) ++n;
    return n;
  }

  std::unique_ptr<Summary> summary_;
  const Schema& rows_;
  std::size_t field_;
  TypeMask counted_;
  std::array<std::uint64_t, kBounds.size()> buckets_{};
  std::uint64_t all_ = 0;
  std::uint64_t without_ = 0;
};

}  // namespace

std::unique_ptr<Summary> with_histogram(std::unique_ptr<Summary> summary, const Schema& rows,
                                        TypeMask counted) {
  return std::make_unique<HistogramSummary>(std::move(summary), rows, counted);
}

}  // namespace plumb
