// --otlp as the run loop sees it: from options to a thread that pushes, and what is said at the end.
#pragma once

#include <optional>

#include "base/result.h"
#include "otlp/push.h"
#include "run/common_options.h"

namespace plumb {

// Nothing without --otlp, or when OTEL_SDK_DISABLED says so. Warns on standard error of variables that are
// ignored. An Error is a wrong command line.
Result<std::optional<otlp::Config>> push_config(const CommonOptions& options);

// Reads what the configuration names; starts nothing.
Result<otlp::Push> open_push(const otlp::Config& config);

// Starts the thread, without any capability.
Result<void> start_push(otlp::Push& push);

// Waits until the rest is delivered, as long as the configuration allows, and says on standard error what was
// not; with `stats` also what was.
void finish_push(otlp::Push& push, bool stats);

}  // namespace plumb
