// The command line against option tables. CLI11 splits and matches; messages and suggestions are ours.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/option.h"

namespace plumb {

struct CommandLine {
  bool help = false;
  bool version = false;
  std::vector<std::string> command;   // what stood behind `--`
  bool has_command = false;           // `--` stood there, even with nothing behind it
  std::vector<std::string> operands;  // what is neither option nor behind `--`
};

// Applies `arguments` (without program and tool name) to the tables. An Error is a wrong command line: exit 2. So are
// more operands than `most_operands`.
Result<CommandLine> parse_command_line(std::span<const std::string> arguments,
                                       std::span<const OptionTable> tables, std::size_t most_operands = 0);

}  // namespace plumb
