// `plumb doctor` as a row of the command table.
#include "doctor/command.h"

#include "cli/help.h"
#include "cli/parse.h"
#include "doctor/report.h"
#include "run/tool_command.h"

namespace plumb {
namespace {

struct DoctorOptions {
  bool json = false;
  bool verbose = false;
};

constexpr auto kOptions = std::to_array<Option<DoctorOptions>>({
    {{.name = "json", .short_name = 'j', .help = "One JSON object instead of text."},
     [](DoctorOptions& o, std::string_view) -> Result<void> { return o.json = true, Result<void>{}; }},
    {{.name = "verbose", .short_name = 'v', .help = "Each container too, and what every probe took."},
     [](DoctorOptions& o, std::string_view) -> Result<void> { return o.verbose = true, Result<void>{}; }},
});

CommandOptions doctor_options(const CommandInfo&) {
  CommandOptions options;
  DoctorOptions values;
  append_visible(options.own, OptionTable::of(kOptions, values));
  return options;
}

int doctor_main(const CommandInfo& command, std::span<const std::string> arguments) {
  DoctorOptions options;
  const OptionTable tables[] = {OptionTable::of(kOptions, options)};
  auto line = parse_command_line(arguments, tables);
  if (!line) return wrong_command_line(line.error());
  if (line->help) return print(command_help(command));
  if (line->version) return print_version();
  if (line->has_command) return wrong_command_line({"doctor takes no command to trace"});
  return run_doctor(tools_of(commands()), options.json, options.verbose);
}

}  // namespace

const CommandInfo kDoctor{.name = "doctor",
                          .summary = "what this machine and user can trace, and what is missing",
                          .usage = "[OPTIONS]",
                          .description =
                              "Tries what each tool would hook, attaches nothing, and says what works, "
                              "what it costs, and what is missing.",
                          .options = doctor_options,
                          .main = doctor_main};

}  // namespace plumb
