// plumb's commands, in the order of --help. A new tool is a line in each list.
#include "run/tool_command.h"

namespace plumb {

extern const ToolInfo kTcpconnect;
extern const ToolInfo kHttptrace;
extern const ToolInfo kDrops;
extern const ToolInfo kFlame;
extern const CommandInfo kDoctor;

std::span<const CommandInfo> commands() {
  static const CommandInfo kCommands[] = {
      tool_command(kTcpconnect),
      tool_command(kHttptrace),
      tool_command(kDrops),
      tool_command(kFlame),
      kDoctor,
  };
  return kCommands;
}

}  // namespace plumb
