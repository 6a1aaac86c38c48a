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
// The same as data, one JSON object: options, fields, formats and examples of these commands.
std::string help_json(std::span<const CommandInfo> commands);
// "integer", "milliseconds", "one of": what a field's values are.
std::string_view type_name(FieldType type);
// `plumb TOOL --list-fields`: one field a paragraph.
std::string field_list(const Schema& schema);

}  // namespace plumb
