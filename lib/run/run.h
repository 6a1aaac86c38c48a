// The run loop: everything between a parsed command line and an exit status.
#pragma once

#include <optional>

#include "otlp/config.h"
#include "run/common_options.h"
#include "run/stages.h"
#include "run/tool.h"

namespace plumb {

// Runs the tool until a signal, --duration, --count, a closed reader or an error ends it.
// `expressions` are compiled from the options, against info.schema; `push` is --otlp's, where it is on.
int run_tool(const ToolInfo& info, Tool& tool, const CommonOptions& options, Expressions& expressions,
             const std::optional<otlp::Config>& push);

}  // namespace plumb
