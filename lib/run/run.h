// The run loop: everything between a parsed command line and an exit status.
#pragma once

#include <memory>
#include <optional>

#include "otlp/config.h"
#include "run/common_options.h"
#include "run/saved_lines.h"
#include "run/stages.h"
#include "run/tool.h"

namespace plumb {

struct RunSetup {
  const ToolInfo& info;
  Tool& tool;
  const CommonOptions& options;
  Expressions& expressions;                 // compiled from the options, against info.schema
  const std::optional<otlp::Config>& push;  // --otlp's, where it is on
  std::unique_ptr<Summary> summary;         // the stage of --summary; nullptr: rows go out as they come
  SavedLines* saved = nullptr;              // --from: `tool` is this, and nothing is traced
  SavedLines* baseline = nullptr;           // --baseline
};

// Runs the tool until a signal, --duration, --count, a closed reader or an error ends it. Returns the exit status.
int run_tool(RunSetup setup);

}  // namespace plumb
