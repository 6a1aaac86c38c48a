// `plumb skill`: what an assistant has to know to use plumb well, as Markdown. How to go about it is told here; what there is
// (tools, examples, fields, options) comes from the tables.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "cli/help.h"
#include "cli/parse.h"
#include "run/tool.h"
#include "run/tool_command.h"

namespace plumb {
namespace {

constexpr std::string_view kHowTo = R"(---
name: plumb
description: Trace TCP connections, HTTP requests, DNS lookups, packet drops and CPU time of a Linux host or one command with plumb, and judge them. Use when something on a Linux machine is slow, fails to connect, loses packets or has to be checked in CI.
---

# plumb

Looks; changes nothing: no traced process is stopped or altered, and no probe stays behind.

## How to go about it

1. `plumb doctor` says what this machine and user can trace, and what is missing. Tracing takes root, or CAP_BPF and CAP_PERFMON; what
   works on saved files takes nothing.
2. Always bound a run: `-d 10s`, `-n 100`, or `-- COMMAND` (traces it and its children alone, ends with it, exits with its status).
3. Take `--summary` first, then lines of what stands out. Lines for a program: `--json`, one object a line on standard output;
   everything else is on standard error.
4. Keep a run (`-o run.json`) and ask it again with `--from run.json`: every view, expression and verdict, without privileges.
5. Narrow in the kernel: `-p PID`, `--comm NAME`, `--container NAME`, `--pod NAME`, `--where EXPR`.

## How to read it

- `null` is "not known", never 0 and never a guess. `pid` and `comm` are the owner of the socket, or null.
- A line `{"type":"lost","count":N}` says that N events are missing: counts are then lower bounds. Say so.
- No line is an answer only when nothing was lost and the trace was running: `--stats` says events seen, kept, lost.
- Keys that end in `_ms` are milliseconds, in `_bytes` bytes; `time` is UTC.
- With `--json` an error that ends plumb is a line on standard error: `{"type":"error","what","why","hint","exit"}`. Do what the
  hint says before anything else.

## Expressions

`--where` is about one line: `status >= 500 && latency > 20ms`, `remote_addr in 10.0.0.0/8`, `comm =~ "^py"`, `error != null`.
`--fail-if` is about the run, exit status 3 when it holds: `p99(latency) > 50ms && count >= 100`,
`share(outcome != established) > 1%`, `count(status >= 500) > 0`; aggregates: count rate p50(f)...p999(f) min max avg sum
share(EXPR) count(EXPR). With `--baseline earlier.json`: `p99(latency) > 1.2 * base(p99(latency))`. `--by FIELD` judges each group.
`inconclusive` means that the rows were too few or the run too unsteady to tell. Where more rows would do it says how many: run
longer, do not round it to passed.
`--report r.md|r.xml|r.json` keeps the verdicts and what they rest on.

Exit status: 0 success, 1 it failed at run time, 2 the command line is wrong, 3 a `--fail-if` held, otherwise the COMMAND's own.
Everything below as data: `plumb --help --json`, or of one tool `plumb TOOL --help --json`.
)";

void append_fields(std::string& out, const Schema& schema) {
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldSpec& f = schema.spec(i);
    out += fmt::format("{}`{}` {}", i == 0 ? "" : ", ", f.key, type_name(f.type));
    for (std::size_t v = 0; v < f.values.size(); ++v)
      out += fmt::format("{}{}", v == 0 ? " " : "|", f.values[v]);
  }
  out += ".\n";
}

void append_options(std::string& out, const std::vector<OptionSpec>& options) {
  for (const OptionSpec& o : options) {
    out += fmt::format("- `--{}{}{}`: {}\n", o.name,
                       o.metavar.empty()  ? ""
                       : o.optional_value ? "="
                                          : " ",
                       o.metavar, o.help);
  }
}

void append_command(std::string& out, const CommandInfo& command) {
  out += fmt::format("\n## plumb {}: {}\n\n{}\n", command.name, command.summary, command.description);
  if (!command.examples.empty()) out += '\n';
  for (const Example& e : command.examples) out += fmt::format("- `{}`: {}\n", e.command, e.meaning);
  const CommandOptions options = options_of(command);
  if (!options.own.empty()) out += "\nIts options:\n\n";
  append_options(out, options.own);
  if (command.schema == nullptr) return;
  out += "\nIts fields: ";
  append_fields(out, *command.schema);
}

std::string skill_text(std::span<const CommandInfo> table) {
  std::string out(kHowTo);
  out += "\n## Which tool\n\n";
  for (const CommandInfo& c : table) out += fmt::format("- `plumb {}`: {}\n", c.name, c.summary);
  out += "\n## Options of all tools\n\n";
  const auto tool = std::ranges::find_if(table, [](const CommandInfo& c) { return c.tool != nullptr; });
  if (tool != table.end()) append_options(out, options_of(*tool).common);
  for (const CommandInfo& c : table) append_command(out, c);
  return out;
}

CommandOptions no_options(const CommandInfo&) {
  return {};
}

int skill_main(const CommandInfo& command, std::span<const std::string> arguments) {
  auto line = parse_command_line(arguments, {});
  if (!line) return wrong_command_line(line.error());
  if (line->help) return print_help(command);
  if (line->version) return print_version();
  if (line->has_command) return wrong_command_line({"skill takes no command to trace"});
  return print(skill_text(commands()));
}

}  // namespace

extern const CommandInfo kSkill;
const CommandInfo kSkill{
    .name = "skill",
    .summary = "what an assistant has to know to use plumb well, as Markdown",
    .usage = "[OPTIONS]",
    .description =
        "Prints how to go about tracing with plumb, how to read what it says, and all of its "
        "tools, examples, options and fields.",
    .options = no_options,
    .main = skill_main};

}  // namespace plumb
