// --otlp as the run loop sees it: from options to a thread that pushes, and what is said at the end.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "otlp/push.h"
#include "profile/profile.h"
#include "run/common_options.h"
#include "run/tool.h"

namespace plumb {

// One for each signal that is pushed: those of --otlp-signals, or those that fit the tool. None without --otlp, or when
// OTEL_SDK_DISABLED says so. Warns on standard error of variables that are ignored. An Error is a wrong command line.
Result<std::vector<otlp::Config>> push_configs(const ToolInfo& info, const CommonOptions& options);

// Reads what the configurations name; starts nothing. The sinks of rows of this schema are appended.
Result<void> open_pushes(const std::vector<otlp::Config>& configs, const ToolInfo& info, const Schema& rows,
                         std::vector<otlp::Push>& pushes, std::vector<std::unique_ptr<Sink>>& sinks);

// Whether one is of spans.
bool push_spans(const std::vector<otlp::Push>& pushes);

// Starts the threads, without any capability.
Result<void> start_pushes(std::vector<otlp::Push>& pushes);

// Hands the stacks of the run to the one of profiles, if there is one.
void push_profile(std::vector<otlp::Push>& pushes, const profile::Profile& stacks);

// Waits until the rest is delivered, as long as the configuration allows, and says on standard error what was
// not; with `stats` also what was.
void finish_pushes(std::vector<otlp::Push>& pushes, bool stats);

}  // namespace plumb
