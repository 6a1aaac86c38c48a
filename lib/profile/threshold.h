// The expression of flame's --fail-if, over the figures of one capture, in the grammar that --where and --fail-if share:
//
//   rooted < 95%                        samples whose stack reaches the thread's first function
//   lost > 0 || truncated > 1%          a number counts samples, a percentage is of all of them
//   unsymbolised("libfoo.so") > 5%      samples with a frame without a name, of this file; without a file: of any
//   self("crc32") > 20%                 the weight of a function by itself; total("f"): with what it calls
//   count < 100                         samples
//
// What nobody knows (of no samples, every percentage) satisfies no comparison.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "profile/profile.h"
#include "query/threshold.h"

namespace plumb::profile {

class ProfileThreshold {
 public:
  static Result<ProfileThreshold> compile(std::string_view text);
  ProfileThreshold(ProfileThreshold&&) noexcept;
  ProfileThreshold& operator=(ProfileThreshold&&) noexcept;
  ~ProfileThreshold();

  Verdict evaluate(const Profile& profile) const;
  const std::string& text() const;  // the expression, printable

 private:
  struct State;
  explicit ProfileThreshold(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plumb::profile
