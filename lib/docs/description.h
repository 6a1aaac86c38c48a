// What a manual page and a shell's completion must know of one command of plumb, gathered from its tables.
// Pure data, so that the generators can be tested with tables that no tool has.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/option.h"
#include "event/field.h"
#include "probe/features.h"
#include "run/tool.h"

namespace plumb {

struct CommandDescription {
  std::string_view name;                  // "tcpconnect", "flame diff"
  std::string_view summary;               // half a line
  std::string_view usage;                 // what stands behind the name
  std::string_view description;           // paragraphs; may be empty
  std::vector<OptionSpec> own;            // the tool's options, without the hidden ones
  std::vector<OptionSpec> common;         // those that all tools share, --help and --version too
  const Schema* lines = nullptr;          // nullptr: no tool, nothing is traced (doctor)
  const Schema* summary_lines = nullptr;  // --summary; nullptr: none of its own
  std::span<const Example> examples;
  std::vector<Hook> hooks;

  std::vector<OptionSpec> options() const {
    std::vector<OptionSpec> all = own;
    all.insert(all.end(), common.begin(), common.end());
    return all;
  }
  bool is_tool() const { return lines != nullptr; }
  // "flame" and "diff" of "flame diff".
  std::string_view first_word() const { return name.substr(0, name.find(' ')); }
  std::string_view subcommand() const {
    return is_sub() ? name.substr(name.find(' ') + 1) : std::string_view();
  }
  bool is_sub() const { return name.find(' ') != std::string_view::npos; }
  // Whether files stand behind its name: "FILE [OPTIONS]".
  bool takes_files() const { return !usage.empty() && usage.front() != '['; }
  // Its name with `joint` for blanks: "flame_diff" for a function of a shell, "flame-diff" for a manual page.
  std::string joined_name(char joint) const {
    std::string out(name);
    for (char& c : out) c = c == ' ' ? joint : c;
    return out;
  }
};

// Views into the command's tables, which live as long as the program.
CommandDescription describe(const CommandInfo& command);

}  // namespace plumb
