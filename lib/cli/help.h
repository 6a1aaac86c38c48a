// Help texts, written from the option and field tables.
#pragma once

#include <span>
#include <string>

#include "cli/command_table.h"
#include "event/field.h"

namespace plumb {

// `plumb --help`.
std::string general_help(std::span<const CommandInfo> table);
// `plumb COMMAND --help`. The command's own options come first.
std::string command_help(const CommandInfo& command);
// `plumb TOOL --list-fields`: one field a paragraph.
std::string field_list(const Schema& schema);

}  // namespace plumb
