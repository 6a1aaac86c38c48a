// Help texts, written from the option and field tables.
#pragma once

#include <span>
#include <string>

#include "cli/option.h"
#include "cli/tool.h"

namespace plumb {

// `plumb --help`.
std::string general_help(std::span<const ToolInfo* const> tools);
// `plumb TOOL --help`. The tool's own options come first.
std::string tool_help(const ToolInfo& tool, std::span<const OptionTable> tables);
// `plumb TOOL --list-fields`: one field a paragraph.
std::string field_list(const Schema& schema);

}  // namespace plumb
