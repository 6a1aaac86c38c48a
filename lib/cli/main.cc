#include "cli/main.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/text.h"
#include "cli/common_options.h"
#include "cli/doctor.h"
#include "cli/help.h"
#include "cli/outputs.h"
#include "cli/parse.h"
#include "cli/push.h"
#include "cli/run.h"
#include "sink/formats.h"
#include "version.h"

namespace plumb {
namespace {

const ToolInfo* find_tool(std::string_view name) {
  for (const ToolInfo* tool : registry()) {
    if (tool->name == name) return tool;
  }
  return nullptr;
}

int wrong_command_line(const Error& error) {
  print_error(error, false);
  return kWrongCommandLine;
}

int print(const std::string& text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? kSuccess : kFailed;
}

int run_named_tool(const ToolInfo& info, std::span<const std::string> arguments) {
  const std::unique_ptr<Tool> tool = info.make();
  CommonOptions options;
  const OptionTable tables[] = {tool->options(), common_option_table(options, info.formats)};
  auto line = parse_command_line(arguments, tables);
  if (!line) return wrong_command_line(line.error());
  if (line->help) return print(tool_help(info, tables));
  if (line->version) return print(fmt::format("plumb {}\n", kVersion));
  if (line->has_command && line->command.empty()) {
    return wrong_command_line(
        {"no command behind --", "a command to trace stands there", "plumb tcpconnect -- curl ..."});
  }
  if (line->has_command && !options.pids.empty()) {
    return wrong_command_line(
        {"--pid and a command exclude each other", "-- COMMAND traces the command alone"});
  }
  options.command = line->command;
  if (auto r = tool->check(options); !r) return wrong_command_line(r.error());
  const Schema& schema = tool->schema(options);
  if (options.list_fields) return print(field_list(schema));
  if (options.json_schema) return print(json_schema(schema, std::string(info.name)));
  if (auto r = choose_columns(schema, options.columns, options.wide); !r)
    return wrong_command_line(r.error());
  auto expressions = Expressions::compile(options, *info.schema);
  if (!expressions) return wrong_command_line(expressions.error());
  if (auto r = check_outputs(info, options); !r) return wrong_command_line(r.error());
  auto push = push_config(options);
  if (!push) return wrong_command_line(push.error());
  return run_tool(info, *tool, options, *expressions, *push);
}

int run_named_doctor(std::span<const std::string> arguments) {
  bool json = false;
  bool verbose = false;
  for (const std::string& a : arguments) {
    if (a == "--json" || a == "-j") {
      json = true;
    } else if (a == "--verbose" || a == "-v") {
      verbose = true;
    } else if (a == "--help" || a == "-h") {
      return print(general_help(registry()));
    } else {
      return wrong_command_line({"doctor has no option '" + a + "'", {}, "plumb doctor [--json] [-v]"});
    }
  }
  return run_doctor(registry(), json, verbose);
}

Error unknown_tool(std::string_view name) {
  std::vector<std::string_view> known{"doctor"};
  for (const ToolInfo* tool : registry()) known.push_back(tool->name);
  const auto near = suggestions(name, known, 1);
  return Error{
      "no tool '" + std::string(name) + "'",
      {},
      near.empty() ? "plumb --help lists the tools" : "did you mean '" + std::string(near.front()) + "'?"};
}

}  // namespace

int plumb_main(std::span<const std::string> arguments) {
  const std::string_view path =
      arguments.empty() ? std::string_view("plumb") : std::string_view(arguments.front());
  if (const ToolInfo* tool = find_tool(path.substr(path.rfind('/') + 1)); tool != nullptr) {
    return run_named_tool(*tool, arguments.subspan(1));
  }
  if (arguments.size() < 2) {
    std::fputs(general_help(registry()).c_str(), stderr);
    return kWrongCommandLine;
  }
  const std::string& first = arguments[1];
  if (first == "--help" || first == "-h" || first == "help") return print(general_help(registry()));
  if (first == "--version" || first == "-V") return print(fmt::format("plumb {}\n", kVersion));
  if (const ToolInfo* tool = find_tool(first); tool != nullptr)
    return run_named_tool(*tool, arguments.subspan(2));
  if (first == "doctor") return run_named_doctor(arguments.subspan(2));
  return wrong_command_line(unknown_tool(first));
}

}  // namespace plumb
