// The tools, in the order of --help. A new tool is a line in each list.
#include "cli/tool.h"

namespace plumb {

extern const ToolInfo kTcpconnect;
extern const ToolInfo kDrops;

std::span<const ToolInfo* const> registry() {
  static constexpr const ToolInfo* kTools[] = {&kTcpconnect, &kDrops};
  return kTools;
}

}  // namespace plumb
