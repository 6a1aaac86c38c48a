// A summary is a stage: rows go in, rows of a schema of its own come out at the end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "event/field.h"

namespace plumb {

class Summary {
 public:
  // False once no more is wanted.
  using Out = std::function<bool(const Row&)>;

  virtual ~Summary() = default;
  virtual const Schema& schema() const = 0;
  virtual void add(const Row& row) = 0;
  virtual void finish(const Out& out) = 0;
  // What stands below a table of the rows, in lines of at most `columns` (0: as usual); empty: nothing. After finish().
  virtual std::string below([[maybe_unused]] std::size_t columns) const { return {}; }
  // Rows that found no room and are in none of the rows that come out.
  virtual std::uint64_t lost() const { return 0; }
};

}  // namespace plumb
