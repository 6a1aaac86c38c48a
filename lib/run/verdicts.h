// What is said of --fail-if at the end of a run.
#pragma once

#include <vector>

#include "query/judge.h"
#include "run/common_options.h"

namespace plumb {

// Each --fail-if with its measured values, on standard error; with --by the groups where one holds or is inconclusive.
// Whether one fails the run.
bool say_verdicts(const std::vector<Judged>& verdicts, const Judge& judge, const CommonOptions& options);

}  // namespace plumb
