#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "base/text.h"

namespace plumb {
namespace {

std::string flag_names(const OptionSpec& spec) {
  std::string names = "--" + std::string(spec.name);
  if (spec.short_name != 0) names += std::string(",-") + spec.short_name;
  return names;
}

std::string joined(std::span<const std::string_view> values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) text += i + 1 == values.size() ? " or " : ", ";
    text += values[i];
  }
  return text;
}

Result<void> apply(const OptionTable& table, std::size_t i, std::string_view value) {
  const OptionSpec& spec = table.spec(i);
  if (!spec.values.empty() && std::find(spec.values.begin(), spec.values.end(), value) == spec.values.end()) {
    const std::vector<std::string_view> known(spec.values.begin(), spec.values.end());
    const auto near = suggestions(value, known, 1);
    return Error{"--" + std::string(spec.name) + " does not take '" + std::string(value) + "'",
                 "expected " + joined(spec.values),
                 near.empty() ? std::string{} : "did you mean '" + std::string(near.front()) + "'?"};
  }
  auto result = table.apply(i, value);
  if (result) return {};
  Error error = std::move(result).error();
  error.what = "--" + std::string(spec.name) + ": " + error.what;
  return error;
}

Error unknown_option(const std::string& given, std::span<const OptionTable> tables) {
  if (!given.starts_with('-')) {
    const bool number = given.find_first_not_of("0123456789") == std::string::npos;
    return Error{
        "unexpected argument '" + given + "'",
        "options start with a dash, a command to trace stands behind --",
        number ? "try --help: ports and processes have options" : "to trace it: -- " + given + " ..."};
  }
  const std::string_view name = std::string_view(given).substr(0, given.find('='));
  std::vector<std::string_view> known{"help", "version"};
  for (const OptionTable& t : tables) {
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (!t.spec(i).hidden) known.push_back(t.spec(i).name);
    }
  }
  const std::string_view bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
  const auto near = suggestions(bare, known, 3);
  std::string hint = "try --help";
  if (!near.empty() && bare.size() > 1) {
    hint = "did you mean --" + std::string(near.front());
    for (std::size_t i = 1; i < near.size(); ++i) hint += " or --" + std::string(near[i]);
    hint += "?";
  }
  return Error{"unknown option " + std::string(name), {}, hint};
}

// What CLI11 says of a value that is missing names no option's value: "--duration: 1 required  missing".
Error parse_error(const CLI::ParseError& e, std::span<const OptionTable> tables) {
  const std::string said = e.what();
  const std::string name = said.substr(0, said.find(':'));
  for (const OptionTable& t : tables) {
    for (std::size_t i = 0; i < t.size() && e.get_name() == "ArgumentMismatch"; ++i) {
      const OptionSpec& spec = t.spec(i);
      if (name != "--" + std::string(spec.name)) continue;
      return Error{name + " needs a value", std::string(spec.metavar), std::string(spec.help)};
    }
  }
  return Error{said, {}, "try --help"};
}

// Options in the order in which CLI11 met them, applied after the parse so that a wrong command line has no
// effect.
struct Met {
  const OptionTable* table;
  std::size_t index;
  CLI::Option* option;
};

Result<void> apply_met(const std::vector<Met>& all, const OptionTable& own, CommandLine& line) {
  for (const Met& m : all) {
    if (m.option->count() == 0) continue;
    const OptionSpec& spec = m.table->spec(m.index);
    if (m.table == &own && line.traces.empty() && !spec.of_saved) line.traces = spec.name;
    if (!spec.repeatable && m.option->count() > 1) {
      return Error{
          "--" + std::string(spec.name) + " was given " + std::to_string(m.option->count()) + " times",
          "it can be given once"};
    }
    if (spec.metavar.empty()) {
      if (auto r = apply(*m.table, m.index, ""); !r) return r;
      continue;
    }
    for (const std::string& value : m.option->results()) {
      if (auto r = apply(*m.table, m.index, value); !r) return r;
    }
  }
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(std::span<const std::string> arguments,
                                       std::span<const OptionTable> tables, std::size_t most_operands) {
  CommandLine line;
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  line.has_command = dashes != arguments.end();
  if (line.has_command) line.command.assign(dashes + 1, arguments.end());

  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", line.help);
  app.add_flag("--version", line.version);
  std::vector<Met> met;
  for (const OptionTable& table : tables) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      const OptionSpec& spec = table.spec(i);
      CLI::Option* option =
          spec.metavar.empty() ? app.add_flag(flag_names(spec)) : app.add_option(flag_names(spec));
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      if (!spec.metavar.empty()) {
        option->expected(spec.optional_value ? 0 : 1, 1)->allow_extra_args(false);
        option->type_size(1)->trigger_on_parse(false);
      }
      met.push_back({&table, i, option});
    }
  }
  try {
    std::vector<std::string> reversed(arguments.begin(), dashes);
    std::reverse(reversed.begin(), reversed.end());  // CLI11 takes a stack
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) {
    return parse_error(e, tables);
  }
  if (line.help || line.version) return line;
  for (const std::string& extra : app.remaining()) {  // a lone dash is an operand: standard input
    if (extra.starts_with('-') && extra != "-") return unknown_option(extra, tables);
    if (line.operands.size() == most_operands) return unknown_option(extra, tables);
    line.operands.push_back(extra);
  }
  if (tables.empty()) return line;  // a command without options, such as `plumb skill`
  if (auto r = apply_met(met, tables.front(), line); !r) return std::move(r).error();
  return line;
}

}  // namespace plumb
