// The table of plumb's commands: tools, doctor, and what works on saved files. Dispatch, help, spelling, manual
// pages and completions all walk it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/option.h"
#include "event/field.h"

namespace plumb {

struct ToolInfo;

enum ExitStatus : int { kSuccess = 0, kFailed = 1, kWrongCommandLine = 2, kThresholdHeld = 3 };

struct Example {
  std::string_view command;
  std::string_view meaning;
};

// The options of one command as help and manual pages list them, without the hidden ones.
struct CommandOptions {
  std::vector<OptionSpec> own;
  std::vector<OptionSpec> common;  // those that all tools share, --help and --version too
};

// A row of the table.
struct CommandInfo {
  std::string_view name;         // "tcpconnect"; of a subcommand both words: "flame diff"
  std::string_view summary;      // half a line, for `plumb --help`
  std::string_view usage;        // what stands behind the name: "[OPTIONS] [-- COMMAND [ARG...]]"
  std::string_view description;  // paragraphs, for --help and the manual page; may be empty
  std::span<const Example> examples;
  // `--help` and `--version` are added by the caller.
  CommandOptions (*options)(const CommandInfo&);
  // Runs it with what stood behind its name; returns the exit status.
  int (*main)(const CommandInfo&, std::span<const std::string> arguments);
  const Schema* schema = nullptr;  // of a tool: its lines
  const Schema* summary_schema =
      nullptr;  // and those of --summary; nullptr: by the groups that are asked for
  std::span<const std::string_view> formats = {};
  const ToolInfo* tool = nullptr;  // what a tool is beside a command (run/tool.h); nullptr: it traces nothing
};

// The table, in the order of --help. Defined in tools/registry.cc.
std::span<const CommandInfo> commands();

// The options of a row, --help and --version included.
CommandOptions options_of(const CommandInfo& command);
// Appends what a table has to show.
void append_visible(std::vector<OptionSpec>& specs, const OptionTable& table);

// plumb's command line: `arguments` with the program's name at the front, as called: a link named after a command is
// that command.
int plumb_main(std::span<const CommandInfo> table, std::span<const std::string> arguments);

// Whether the command line asks for JSON, as far as can be told before it is parsed: help is data then.
bool asks_for_json();
// For rows' main(). `plumb COMMAND --help`, as text or as data.
int print_help(const CommandInfo& command);
// For rows' main(). print() writes to standard output and returns an exit status.
int print(const std::string& text);
int print_version();
int wrong_command_line(const Error& error);
// "plumb: what: why" and "  hint" on standard error: at most three lines; with -v `details` too. Where the command line
// asks for JSON, a line for programs follows: {"type":"error","what":...,"why":...,"hint":...,"exit":1}. `status` is what
// plumb ends with.
void print_error(const Error& error, bool verbose, ExitStatus status = kFailed);

}  // namespace plumb
