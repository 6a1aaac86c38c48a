// Moves conditions of --where into the kernel's filters.
#pragma once

#include "event/field.h"
#include "probe/filter.h"
#include "query/predicate.h"

namespace plumb {

// Narrows `filter` by `condition` if it says which processes, names or user pass and the filter leaves that
// open yet. Returns whether it did. The expression is evaluated all the same.
bool narrow(TaskFilter& filter, const Condition& condition, const Schema& schema);

// The whole numbers of a condition `field == n` or `field in (n, ...)`; empty when it is anything else.
std::vector<std::uint64_t> numbers_wanted(const Condition& condition);

}  // namespace plumb
