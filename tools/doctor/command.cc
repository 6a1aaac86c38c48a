// `plumb doctor` as a row of the command table.
#include "doctor/command.h"

#include <charconv>

#include "cli/help.h"
#include "cli/parse.h"
#include "doctor/process.h"
#include "doctor/report.h"
#include "run/tool_command.h"

namespace plumb {
namespace {

struct DoctorOptions {
  std::uint32_t pid = 0;  // 0: the machine
  bool json = false;
  bool verbose = false;
};

constexpr auto kOptions = std::to_array<Option<DoctorOptions>>({
    {{.name = "pid",
      .short_name = 'p',
      .metavar = "PID",
      .help = "What of this process can be probed: its TLS library."},
     [](DoctorOptions& o, std::string_view v) -> Result<void> {
       const auto [end, error] = std::from_chars(v.data(), v.data() + v.size(), o.pid);
       if (error == std::errc{} && end == v.data() + v.size() && o.pid != 0) return {};
       return Error{std::string(v) + " is no process id"};
     }},
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
  if (line->help) return print_help(command);
  if (line->version) return print_version();
  if (line->has_command) return wrong_command_line({"doctor takes no command to trace"});
  if (options.pid != 0) return run_process_doctor(options.pid, options.json);
  return run_doctor(tools_of(commands()), options.json, options.verbose);
}

}  // namespace

const CommandInfo kDoctor{.name = "doctor",
                          .summary = "what this machine and user can trace, and what is missing",
                          .usage = "[OPTIONS]",
                          .description =
                              "Tries what each tool would hook, attaches nothing, and says what works, "
                              "what it costs, and what is missing. With -p: which TLS library or symbols "
                              "a process has, what httptrace would probe of it, and why not.",
                          .options = doctor_options,
                          .main = doctor_main};

}  // namespace plumb
