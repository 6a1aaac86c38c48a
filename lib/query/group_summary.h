// The summary of any tool's rows by any of its fields, from the field table alone: a row a group with how many, how many
// failed (the schema's alerts), quantiles of its first duration and sums of its sizes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "query/group_key.h"
#include "query/summary.h"

namespace plumb {

struct GroupSummarySetup {
  const Schema& rows;
  std::vector<std::size_t> by;   // indexes of rows' fields
  TypeMask counted = kAllTypes;  // the types of rows that are counted; of the others only sizes are added
};

// Groups beyond the first kMaxGroups are one row, whose text fields say "(other)".
inline constexpr std::size_t kMaxGroups = 4096;

std::unique_ptr<Summary> make_group_summary(const GroupSummarySetup& setup);

}  // namespace plumb
