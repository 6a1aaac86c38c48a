// The expression of `flame diff --fail-if`, over the changes of functions, in the grammar that --where and --fail-if share:
//
//   self("crc32") > +5%                   its own time rose by more than 5 %, against all else's
//   total("compress") > 0% && self("memcpy") > 0%
//   self > +10%                           that of any function; none of 1 % or more may be left open
//
// Three answers, as ChangeVerdict has them: more (it holds, surely), not_more (it does not, surely), inconclusive: the
// interval contains the limit. && || ! join them as one expects (what is open stays open unless the other side decides).
// A function that is named gets an interval for itself alone, one-sided at kNamedLevel; `self` and `total` without a name
// use those of all functions together.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "profile/diff.h"

namespace plumb::profile {

// The chance that a limit on a function that is as before holds by accident.
inline constexpr double kNamedLevel = 0.01;

struct DiffVerdict {
  ChangeVerdict verdict = ChangeVerdict::inconclusive;
  std::string text;  // "self("crc32") = +12.1 % (at least +8.0 %, at most +16.4 %)"; printable
};

class DiffThreshold {
 public:
  static Result<DiffThreshold> compile(std::string_view text);
  DiffThreshold(DiffThreshold&&) noexcept;
  DiffThreshold& operator=(DiffThreshold&&) noexcept;
  ~DiffThreshold();

  // An Error: it names a function that neither profile has.
  Result<void> check_names(const Diff& diff) const;
  DiffVerdict evaluate(const Diff& diff) const;
  const std::string& text() const;  // the expression, printable

 private:
  struct State;
  explicit DiffThreshold(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// "+12.1 %", "gone", "new".
std::string change_text(double change);

}  // namespace plumb::profile
