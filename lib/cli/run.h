// The run loop: everything between a parsed command line and an exit status.
#pragma once

#include <optional>

#include "cli/common_options.h"
#include "cli/fanout.h"
#include "cli/tool.h"
#include "otlp/config.h"

namespace plumb {

enum ExitStatus : int { kSuccess = 0, kFailed = 1, kWrongCommandLine = 2, kThresholdHeld = 3 };

// Runs the tool until a signal, --duration, --count, a closed reader or an error ends it.
// `expressions` are compiled from the options, against info.schema; `push` is --otlp's, where it is on.
int run_tool(const ToolInfo& info, Tool& tool, const CommonOptions& options, Expressions& expressions,
             const std::optional<otlp::Config>& push);

// "plumb: what: why" and "  hint" on standard error: at most three lines; with -v `details` too.
void print_error(const Error& error, bool verbose);

}  // namespace plumb
