#include "cli/outputs.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/terminal.h"

namespace plumb {
namespace {

Result<TableStyle> table_style(const Schema& schema, const Tool& tool, const CommonOptions& options,
                               const Output& output, const BootClock& clock) {
  TableStyle style;
  style.time = static_cast<TableStyle::Time>(options.time);
  style.color = use_color(options.color, output.is_terminal());
  auto columns =
      choose_columns(schema, options.columns.empty() ? tool.columns(options) : options.columns, options.wide);
  if (!columns) return std::move(columns).error();
  style.columns = *std::move(columns);
  if (winsize size{}; output.is_terminal() && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    style.terminal_columns = size.ws_col;
    style.terminal_rows = size.ws_row;
  }
  style.started = clock.to_unix(clock.now());
  return style;
}

Error no_such_format(const Tool& tool, const CommonOptions& options) {
  const char* given =
      tool.gives_stacks(options) ? "it gives table, json, folded and svg" : "it gives table and json";
  return Error{"this tool has no such format", given, "choose with --format"};
}

}  // namespace

bool is_aggregated(Format format) {
  return format != Format::table && format != Format::json;
}

bool use_color(ColorMode mode, bool terminal) {
  if (mode != ColorMode::automatic) return mode == ColorMode::always;
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: any non-empty value
  return terminal && !dumb_terminal() && (no_color == nullptr || *no_color == '\0');
}

Result<void> check_format(const Tool& tool, const CommonOptions& options) {
  const Format format = chosen_format(options);
  const bool stacks = format == Format::folded || format == Format::svg;
  if (!is_aggregated(format) || (stacks && tool.gives_stacks(options))) return {};
  return no_such_format(tool, options);
}

Result<std::unique_ptr<Sink>> make_sink(const Schema& schema, const Tool& tool, const CommonOptions& options,
                                        Output& output, const BootClock& clock) {
  switch (chosen_format(options)) {
    case Format::json:
      return make_json_sink(schema, output);
    case Format::table: {
      auto style = table_style(schema, tool, options, output, clock);
      if (!style) return std::move(style).error();
      return make_table_sink(schema, output, *std::move(style));
    }
    case Format::folded:
      if (tool.gives_stacks(options)) return make_folded_sink(output);
      break;
    case Format::svg:
      if (tool.gives_stacks(options)) return make_svg_sink(output, tool.flame_graph(options));
      break;
    default:
      break;
  }
  return no_such_format(tool, options);
}

}  // namespace plumb
