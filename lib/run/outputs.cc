#include "run/outputs.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "run/terminal.h"

namespace plumb {
namespace {

Result<TableStyle> table_style(const Tool& tool, const CommonOptions& options, const Output& output,
                               const BootClock& clock) {
  TableStyle style;
  style.time = static_cast<TableStyle::Time>(options.time);
  style.color = use_color(options.color, output.is_terminal());
  auto columns =
      choose_columns(tool.schema(), options.columns.empty() ? tool.columns() : options.columns, options.wide);
  if (!columns) return std::move(columns).error();
  style.columns = *std::move(columns);
  if (winsize size{}; output.is_terminal() && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    style.terminal_columns = size.ws_col;
    style.terminal_rows = size.ws_row;
  }
  style.started = clock.to_unix(clock.now());
  return style;
}

std::string_view name_of(Format format) {
  return kFormatNames[static_cast<std::size_t>(format)];
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

Result<void> check_outputs(const ToolInfo& info, const CommonOptions& options) {
  const Format format = chosen_format(options);
  const std::string name(name_of(format));
  if (std::ranges::find(info.formats, name) == info.formats.end()) {  // by the ending of --output
    return Error{fmt::format("{} does not give {}", info.name, name),
                 fmt::format("it gives {}", fmt::join(info.formats, ", ")),
                 "choose with --format, or by another ending of --output"};
  }
  if (options.top && options.summary) return Error{"--top and --summary exclude each other"};
  if (options.top && format != Format::table) {
    return Error{"--top and --format " + name + " exclude each other", "the live table is a table"};
  }
  if (!is_aggregated(format)) return {};
  if (options.summary) return Error{"--summary and --format " + name + " exclude each other"};
  for (const auto& [option, given] : {std::pair{"--where", !options.where.empty()},
                                      {"--fail-if", !options.fail_if.empty()},
                                      {"--count", options.count.has_value()}}) {
    if (!given) continue;
    return Error{fmt::format("{} and --format {} exclude each other", option, name),
                 "stacks are counted in the kernel, where nobody looks at each event"};
  }
  return {};
}

Result<std::unique_ptr<Sink>> make_sink(const Tool& tool, const CommonOptions& options, Output& output,
                                        const BootClock& clock) {
  const Schema& schema = tool.schema();
  switch (chosen_format(options)) {
    case Format::json:
      return make_json_sink(schema, output);
    case Format::table: {
      auto style = table_style(tool, options, output, clock);
      if (!style) return std::move(style).error();
      return make_table_sink(schema, output, *std::move(style));
    }
    case Format::folded:
      return make_folded_sink(output);
    case Format::svg:
      return make_svg_sink(output, tool.flame_graph());
    case Format::pprof:
    case Format::speedscope:
      break;
  }
  return Error{"nothing writes the format " + std::string(name_of(chosen_format(options)))};
}

}  // namespace plumb
