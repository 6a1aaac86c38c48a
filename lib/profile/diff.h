// Two profiles compared: what takes more than before, what does not, and of what the samples do not tell.
//
// Functions are compared by name; addresses, clones that compilers make (.isra.0, .cold), Rust's hashes and offsets do
// not count, so that two builds compare. Shares, not absolute weights: the runs may differ in length.
//
// Each function is compared twice: its own time (self) and all time with it on the stack (total). Intervals hold for all
// of them together: the comparisons divide kFamilyLevel among themselves (Bonferroni), so that a profile compared with another
// of the same program gives any "more" in at most one comparison of a hundred. They do not divide it evenly: each gets as
// much as its share p spreads, sqrt(p (1 - p)), since a hundred functions of 0.1 %, in which nothing smaller than a doubling
// could be found, would take from the three large ones what finds 10 %. A leaf, all of whose time is its own, is one comparison.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "profile/bytes.h"
#include "profile/profile.h"
#include "profile/statistics.h"
#include "profile/write.h"

namespace plumb::profile {

enum class ChangeVerdict : std::uint8_t {
  more,
  not_more,
  inconclusive,  // too few samples
};
// "more", "not more", "inconclusive".
std::string_view name_of(ChangeVerdict verdict);

// The chance of a false "more" and of a false "less" among all functions of one comparison, each.
inline constexpr double kFamilyLevel = 0.01;
// "not more" means: surely less than so much more.
inline constexpr double kMargin = 0.10;
// A function with fewer samples than this on both sides together is not tested: nothing could be found.
inline constexpr double kLeastSamples = 8;

struct Change {
  Observed before, after;
  Interval interval;  // for all functions together
  ChangeVerdict verdict = ChangeVerdict::inconclusive;
  bool is_new() const { return before.share <= 0 && after.share > 0; }
  bool vanished() const { return before.share > 0 && after.share <= 0; }
};

struct FunctionChange {
  std::string name;  // raw bytes, as compared
  Change self, total;
};

struct Diff {
  std::vector<FunctionChange> functions;  // by change of self share, the largest first; equal ones by name
  std::uint64_t before_samples = 0, after_samples = 0;
  // A side's weights are no counts, and its file does not say how many samples they are: every verdict is inconclusive.
  bool before_uncounted = false, after_uncounted = false;
  // Of the functions that make at least 1 % on a side: any more; else any inconclusive; else not more.
  ChangeVerdict verdict = ChangeVerdict::inconclusive;

  // One function by name, with an interval of its own (no other function was looked at): `z` on each side. A name without
  // arguments means each function with that name. Nothing: no sample on either side has it.
  Change of(std::string_view name, bool total, double z) const;

  // Whether a function of either side has that name, in that sense.
  bool has(std::string_view name) const;

  // What of() adds up: per function its weight and squared weights.
  struct Weights {
    double self = 0, self_squares = 0, total = 0, total_squares = 0;
  };
  struct Side {
    double weight = 0, squares = 0;
    std::vector<Weights> functions;  // as in `names`
  };
  std::vector<std::string> names;
  Side sides[2];
};

Diff compare(const Profile& before, const Profile& after);

// A function's name as compare() takes it.
std::string comparable_name(const Profile& profile, const Frame& frame);

// One flame graph of both: a frame is as wide as the mean of its shares before and after, so that what is new and what
// vanished both show; red takes more, blue less, as strongly as the samples are sure of it.
Result<void> write_diff_svg(const Profile& before, const Profile& after, const SvgStyle& style, Bytes& out);

}  // namespace plumb::profile
