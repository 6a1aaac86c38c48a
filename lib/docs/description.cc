#include "docs/description.h"

namespace plumb {

CommandDescription describe(const CommandInfo& command) {
  CommandOptions options = options_of(command);
  CommandDescription d{.name = command.name,
                       .summary = command.summary,
                       .usage = command.usage,
                       .description = command.description,
                       .own = std::move(options.own),
                       .common = std::move(options.common),
                       .examples = command.examples};
  if (command.tool != nullptr) {
    d.lines = command.tool->schema;
    d.summary_lines = command.tool->summary_schema;
    d.hooks = command.tool->make()->hooks();
  }
  return d;
}

}  // namespace plumb
