// The command line against option tables. CLI11 splits and matches; messages and suggestions are ours.
//
// It is used as a tokenizer alone. Its subcommands, groups and validators would be a second description of what the tables
// describe already, for help, manual pages, completions and doctor as well; its messages know neither why a value is wrong
// nor what was meant. As a tokenizer (forms of long and short options, optional values, -abc, what is left over) it is
// 30 lines here instead of some 150 of our own, for 178 KB of the executable, 5 s of one compilation, and 0.2 % of the CPU
// time of tcpconnect's start (CLI11 2.1.2, GCC 12.2).
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
  std::string_view
      traces;  // the first option given of the first table that says nothing of saved lines; empty: none
};

// Applies `arguments` (without program and tool name) to the tables. An Error is a wrong command line: exit 2. So are
// more operands than `most_operands`.
Result<CommandLine> parse_command_line(std::span<const std::string> arguments,
                                       std::span<const OptionTable> tables, std::size_t most_operands = 0);

}  // namespace plumb
