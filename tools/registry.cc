// plumb's commands, in the order of --help. A new tool is a line in each list.
#include "run/tool_command.h"

namespace plumb {

extern const ToolInfo kTcpconnect;
extern const ToolInfo kHttptrace;
extern const ToolInfo kDrops;
extern const ToolInfo kFlame;
extern const ToolInfo kDnsx;
extern const CommandInfo kDoctor;
extern const CommandInfo kFlameRender;
extern const CommandInfo kFlameDiff;
extern const CommandInfo kSkill;

std::span<const CommandInfo> commands() {
  static const CommandInfo kCommands[] = {
      tool_command(kTcpconnect),
      tool_command(kHttptrace),
      tool_command(kDrops),
      tool_command(kFlame),
      kFlameRender,
      kFlameDiff,
      tool_command(kDnsx),
      kDoctor,
      kSkill,
  };
  return kCommands;
}

}  // namespace plumb
