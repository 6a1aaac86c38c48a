// Which sink the options ask for.
#pragma once

#include <memory>

#include "base/clock.h"
#include "run/common_options.h"
#include "run/tool.h"
#include "sink/formats.h"
#include "sink/output.h"

namespace plumb {

// Whether the tool gives the formats in force, and whether the options about what comes out agree and each has an
// effect: an Error is a wrong command line. The tool's options are bound.
Result<void> check_outputs(const ToolInfo& info, const Tool& tool, const CommonOptions& options);

// The columns of a table of `rows`, the tool's lines or its summary. An unknown name is an Error.
Result<std::vector<std::size_t>> chosen_columns(const Tool& tool, const Schema& rows,
                                                const CommonOptions& options);

// For rows. `output` outlives the sink, and the options passed check_outputs().
Result<std::unique_ptr<Sink>> make_sink(Format format, const Tool& tool, const Schema& rows,
                                        const CommonOptions& options, Output& output, const BootClock& clock);

// What --top, --summary and --fail-if group by: --by, or the tool's own, or the schema's.
Result<std::vector<std::size_t>> groups_of(const ToolInfo& info, const Tool& tool,
                                           const CommonOptions& options);
// The stage of --summary: the tool's own, or with --by one by these fields; nullptr without --summary.
Result<std::unique_ptr<Summary>> make_summary(const ToolInfo& info, Tool& tool, const CommonOptions& options);

// The names for --names ports; read before root is given up.
std::shared_ptr<const PortNames> port_names();

// Whether to write colours, by --color, NO_COLOR, TERM and what the output is.
bool use_color(ColorMode mode, bool terminal);

}  // namespace plumb
