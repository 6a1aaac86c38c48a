// How sure a difference between two sampled shares is.
//
// The problem. A profile is a sample: of N stacks, x were in the function f. Another N would give another x, so that two
// profiles of the same program differ in every function. And a share says little by itself: a function with 50 % of the
// time that gets 10 % slower has 52.4 % then, since everything is divided by a whole that grew too.
//
// The idea. Compare odds, time in f against time in all else, x : (N - x). When f alone gets 10 % slower its odds rise
// by exactly 10 %, whatever its share. The change is the ratio of the two odds; its interval is Wilson's score interval
// for the odds' share of their sum, with the number of trials that gives the log odds ratio's variance. Unlike the usual
// interval (log ratio plus or minus z standard errors) it holds for few samples and for none on one side: new and
// vanished functions need no special case.
//
// Two runs of one program differ by more than sampling: caches, frequency, neighbours. No number of samples takes that
// away, so that kRunToRun stands in every interval: it is why millions of samples do not find a "change" of 0.1 %.
#pragma once

#include <cstddef>

namespace plumb::profile {

// What one profile says of a function.
struct Observed {
  double share = 0;    // 0 to 1, of the weight
  double samples = 0;  // how many equal samples would tell the share as exactly
};

// Relative: +0.1 is 10 % more, -1 gone, infinity new.
struct Interval {
  double low = 0;
  double change = 0;
  double high = 0;
};

// The relative spread (one standard deviation) of a function's time from run to run of one program on one machine.
inline constexpr double kRunToRun = 0.005;

// `z`: standard deviations on each side. Shares of 0 on both sides give {-1, 0, infinity}: nothing is known.
Interval change_of(const Observed& before, const Observed& after, double z);

// The z that a normal variable exceeds with probability `tail` (0 < tail < 1).
double normal_quantile(double tail);

}  // namespace plumb::profile
