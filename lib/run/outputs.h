// Which sink the options ask for.
#pragma once

#include <memory>

#include "base/clock.h"
#include "run/common_options.h"
#include "run/tool.h"
#include "sink/formats.h"
#include "sink/output.h"

namespace plumb {

// Whether the format is of aggregates, which come at the end, instead of lines.
bool is_aggregated(Format format);

// Whether the tool gives the format in force, and whether the options about what comes out agree: an Error is
// a wrong command line.
Result<void> check_outputs(const ToolInfo& info, const CommonOptions& options);

// `output` outlives the sink, and the options passed check_outputs().
Result<std::unique_ptr<Sink>> make_sink(const Tool& tool, const CommonOptions& options, Output& output,
                                        const BootClock& clock);

// Whether to write colours, by --color, NO_COLOR, TERM and what the output is.
bool use_color(ColorMode mode, bool terminal);

}  // namespace plumb
