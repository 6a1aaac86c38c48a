#include "run/tool_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/help.h"
#include "cli/parse.h"
#include "report/report.h"
#include "run/common_options.h"
#include "run/otlp_output.h"
#include "run/outputs.h"
#include "run/run.h"
#include "run/saved_lines.h"
#include "sink/formats.h"

namespace plumb {
namespace {

CommandOptions tool_options(const CommandInfo& command) {
  CommandOptions options;
  const std::unique_ptr<Tool> tool = command.tool->make();
  append_visible(options.own, tool->options());
  CommonOptions common;
  append_visible(options.common, common_option_table(common, command.tool->formats));
  return options;
}

// What the parser cannot tell of one option alone.
Result<void> check_command(const CommandLine& line, const CommonOptions& options) {
  if (line.has_command && line.command.empty()) {
    return Error{"no command behind --", "a command to trace stands there", "plumb tcpconnect -- curl ..."};
  }
  if (line.has_command && !options.pids.empty()) {
    return Error{"--pid and a command exclude each other", "-- COMMAND traces the command alone"};
  }
  return {};
}

// The first of its formats.
Format default_format(const ToolInfo& info) {
  const auto* const found = std::ranges::find(kFormatNames, info.formats.front());
  return static_cast<Format>(found - std::begin(kFormatNames));
}

Result<void> check_baseline(const CommonOptions& options, bool used) {
  if (used && !options.baseline)
    return Error{"base(...) without --baseline", "there is no earlier run to compare with",
                 "give its JSON lines: --baseline FILE"};
  if (!used && (options.baseline || options.strict))
    return Error{fmt::format("{} has no effect without base(...) in --fail-if",
                             options.baseline ? "--baseline" : "--strict"),
                 {},
                 "such as --fail-if 'p99(latency) > 1.2 * base(p99(latency))'"};
  return {};
}

// The command line is parsed; `info` and `tool` are the tool's or, with --from, of its saved lines.
int run_bound(const ToolInfo& info, Tool& tool, CommonOptions& options, SavedLines* saved,
              SavedLines* baseline) {
  auto summary = make_summary(info, tool, options);
  if (!summary) return wrong_command_line(summary.error());
  const Schema& rows = *summary != nullptr ? (*summary)->schema() : tool.schema();
  if (options.list_fields) return print(field_list(rows));
  if (options.json_schema && !options.reports.empty()) return print(report::json_report_schema());
  if (options.json_schema) return print(json_schema(rows, std::string(info.name)));
  if (auto r = check_outputs(info, tool, options); !r) return wrong_command_line(r.error());
  if (auto r = chosen_columns(tool, rows, options); !r) return wrong_command_line(r.error());
  auto expressions = Expressions::compile(options, *info.schema, !tool.judges_itself(), tool.counted_types());
  if (!expressions) return wrong_command_line(expressions.error());
  if (auto r = check_baseline(options, expressions->judge.uses_base()); !r)
    return wrong_command_line(r.error());
  auto pushes = push_configs(info, options);
  if (!pushes) return wrong_command_line(pushes.error());
  return run_tool({info, tool, options, *expressions, *pushes, *std::move(summary), saved, baseline});
}

int run_tool_command(const CommandInfo& command, std::span<const std::string> arguments) {
  const ToolInfo& info = *command.tool;
  const std::unique_ptr<Tool> tool = info.make();
  CommonOptions options;
  const OptionTable tables[] = {tool->options(), common_option_table(options, info.formats)};
  auto line = parse_command_line(arguments, tables);
  if (!line) return wrong_command_line(line.error());
  if (line->help) return print_help(command);
  if (line->version) return print_version();
  if (auto r = check_command(*line, options); !r) return wrong_command_line(r.error());
  options.command = line->command;
  if (!options.top && !options.summary && !options.from) options.default_format = default_format(info);
  if (auto r = tool->bind(options); !r) return wrong_command_line(r.error());
  if (options.from) {
    if (auto r = SavedLines::check(options, line->traces); !r) return wrong_command_line(r.error());
  }
  std::unique_ptr<SavedLines> files[2];  // --from, --baseline
  for (const auto& [path, file] : {std::pair(&options.from, &files[0]), {&options.baseline, &files[1]}}) {
    if (!*path) continue;
    auto opened = SavedLines::open(info, *tool, options, **path);
    if (!opened) return print_error(opened.error(), options.verbose), kFailed;
    *file = *std::move(opened);
  }
  if (files[0] == nullptr) return run_bound(info, *tool, options, nullptr, files[1].get());
  return run_bound(files[0]->info(), *files[0], options, files[0].get(), files[1].get());
}

}  // namespace

CommandInfo tool_command(const ToolInfo& tool) {
  return {.name = tool.name,
          .summary = tool.summary,
          .usage = "[OPTIONS] [-- COMMAND [ARG...]]",
          .description = tool.description,
          .examples = tool.examples,
          .options = tool_options,
          .main = run_tool_command,
          .schema = tool.schema,
          .summary_schema = tool.summary_schema,
          .formats = tool.formats,
          .tool = &tool};
}

std::vector<const ToolInfo*> tools_of(std::span<const CommandInfo> table) {
  std::vector<const ToolInfo*> tools;
  for (const CommandInfo& command : table) {
    if (command.tool != nullptr) tools.push_back(command.tool);
  }
  return tools;
}

}  // namespace plumb
