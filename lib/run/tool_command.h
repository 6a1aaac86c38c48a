// A tool as a row of the command table.
#pragma once

#include <vector>

#include "cli/command_table.h"
#include "run/tool.h"

namespace plumb {

// `tool` lives as long as the row.
CommandInfo tool_command(const ToolInfo& tool);

// The tools of the table, in its order.
std::vector<const ToolInfo*> tools_of(std::span<const CommandInfo> table);

}  // namespace plumb
