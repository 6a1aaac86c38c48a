// --baseline: what an earlier run saw, given to the aggregates of base(...).
#pragma once

#include "base/result.h"
#include "query/judge.h"
#include "run/common_options.h"
#include "run/saved_lines.h"
#include "run/stages.h"

namespace plumb {

// `file` is of lines, which --where and --by are about too, or a report in JSON, which has to be of the same ones. Called
// once the trace is over, so that reading holds up nothing, and without privileges.
Result<void> read_baseline(SavedLines& file, Stages& stages, Judge& judge, const CommonOptions& options);

}  // namespace plumb
