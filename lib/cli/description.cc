#include "cli/description.h"

namespace plumb {
namespace {

constexpr std::string_view kHelp = "Help";

void append_visible(std::vector<OptionSpec>& specs, const OptionTable& table) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (!table.spec(i).hidden) specs.push_back(table.spec(i));
  }
}

// The parser adds --help and --version to every tool's table itself.
constexpr OptionSpec kHelpOption{
    .name = "help", .short_name = 'h', .group = kHelp, .help = "Show all options and exit."};
constexpr OptionSpec kVersionOption{.name = "version", .group = kHelp, .help = "Print the version and exit."};

}  // namespace

CommandDescription describe(const ToolInfo& tool) {
  CommandDescription d{.name = tool.name,
                       .summary = tool.summary,
                       .description = tool.description,
                       .lines = tool.schema,
                       .summary_lines = tool.summary_schema,
                       .examples = tool.examples};
  const std::unique_ptr<Tool> instance = tool.make();
  append_visible(d.own, instance->options());
  CommonOptions common;
  append_visible(d.common, common_option_table(common, tool.formats));
  d.common.push_back(kHelpOption);
  d.common.push_back(kVersionOption);
  d.hooks = instance->hooks();
  return d;
}

CommandDescription describe_doctor() {
  CommandDescription d{.name = "doctor",
                       .summary = "what this machine and user can trace, and what is missing"};
  d.own = {{.name = "json", .short_name = 'j', .help = "One JSON object instead of text."},
           {.name = "verbose", .short_name = 'v', .help = "Each container too, and what every probe took."}};
  d.common = {kHelpOption};
  return d;
}

}  // namespace plumb
