// --sort: the rows of a summary by one of its fields. A stage around another.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "query/summary.h"

namespace plumb {

// Numbers and durations the largest first, texts from A on, what is not known last; ties as they come. `key` names a field
// of the summary's own rows: an Error lists near ones.
Result<std::unique_ptr<Summary>> sort_summary(std::unique_ptr<Summary> summary, std::string_view key);

}  // namespace plumb
