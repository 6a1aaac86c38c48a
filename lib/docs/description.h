// What a manual page and a shell's completion must know of one command of plumb, gathered from its tables.
// Pure data, so that the generators can be tested with tables that no tool has.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cli/option.h"
#include "event/field.h"
#include "probe/features.h"
#include "run/tool.h"

namespace plumb {

struct CommandDescription {
  std::string_view name;                  // "tcpconnect"
  std::string_view summary;               // half a line
  std::string_view usage;                 // what stands behind the name
  std::string_view description;           // paragraphs; may be empty
  std::vector<OptionSpec> own;            // the tool's options, without the hidden ones
  std::vector<OptionSpec> common;         // those that all tools share, --help and --version too
  const Schema* lines = nullptr;          // nullptr: no tool, nothing is traced (doctor)
  const Schema* summary_lines = nullptr;  // --summary; nullptr: none of its own
  std::span<const Example> examples;
  std::vector<Hook> hooks;

  bool is_tool() const { return lines != nullptr; }
};

// Views into the command's tables, which live as long as the program.
CommandDescription describe(const CommandInfo& command);

}  // namespace plumb
