// The summary of saved lines: what DropSums makes of events, by the lines' own names for reasons and places.
#pragma once

#include <memory>

#include "event/field.h"
#include "query/summary.h"

namespace plumb {

// `lines` is the schema of the rows; it outlives the summary.
std::unique_ptr<Summary> make_saved_drop_sums(const Schema& lines);

}  // namespace plumb
