// What a run's rows were, in words: "33 connects, 9 failed".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "event/field.h"
#include "event/trouble.h"

namespace plumb {

class Tally {
 public:
  // `events` is the schema of the rows.
  explicit Tally(const Schema& events);

  void keep(const Row& row);
  void leave_out() { ++filtered_; }  // an expression did not hold for it

  std::uint64_t kept() const;
  std::uint64_t filtered() const { return filtered_; }
  // By type, those that occurred: "33 connects, 2 closes, 9 failed"; empty: none.
  std::string text() const;

 private:
  const Schema& events_;
  Trouble trouble_;
  std::vector<std::uint64_t> types_;
  std::uint64_t failed_ = 0;
  std::uint64_t filtered_ = 0;
};

// "5 s", "0.2 s", "2m05s": how long a run took.
std::string elapsed_text(Duration elapsed);

}  // namespace plumb
