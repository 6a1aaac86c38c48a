// bash. What needs care there:
//  - readline cuts words at COMP_WORDBREAKS, `=` and `:` among them, and replaces only what stands behind the last cut; so
//    the words are put together again, and the replacement is cut as readline did.
//  - candidates from outside (command names) are hostile: never through `compgen -W`, which expands its argument, and
//    quoted before they reach the line.
#include <fmt/format.h>

#include "completion_files.h"
#include "docs/completion.h"
#include "docs/sections.h"

namespace plumb {
namespace {

using namespace shell;

std::string words_of(std::span<const std::string_view> values) {
  std::string out;
  for (const std::string_view v : values) out += " " + quote(v);
  return out;
}

std::string completer(const OptionSpec& spec, std::string_view tool) {
  switch (spec.completes) {
    case Completes::file:
      return "_plumb_files";
    case Completes::directory:
      return "_plumb_files -d";
    case Completes::pid:
      return "_plumb_pids";
    case Completes::comm:
      return "_plumb_comms";
    case Completes::user:
      return "_plumb_users";
    case Completes::container:
      return "_plumb_containers";
    case Completes::device:
      return "_plumb_devices";
    case Completes::field:
      return fmt::format("_plumb_{}_fields _plumb_expression", tool);
    case Completes::field_list:
      return fmt::format("_plumb_{}_fields _plumb_list", tool);
    case Completes::offers:
      return "_plumb_list" + words_of(spec.offers);
    case Completes::nothing:
    case Completes::values:
      break;
  }
  return spec.values.empty() ? "" : "_plumb_values" + words_of(spec.values);
}

std::string keys(const Schema& schema) {
  std::string out;
  for (std::size_t i = 0; i < schema.size(); ++i) out += " " + quote(schema.spec(i).key);
  return out;
}

void append_fields(std::string& out, const CommandDescription& c) {
  if (c.lines == nullptr) return;
  std::string summary;
  if (c.summary_lines != nullptr)
    summary = fill(section(kBashFile, "fields of summary"), {{"FIELDS", keys(*c.summary_lines)}});
  out += fill(section(kBashFile, "fields"),
              {{"COMMAND", c.name}, {"SUMMARY", summary}, {"FIELDS", keys(*c.lines)}});
}

void append_values(std::string& out, const CommandDescription& c) {
  std::string cases;
  for (const OptionSpec& o : c.options()) {
    if (o.metavar.empty()) continue;
    std::string pattern = short_flag(o);
    if (!pattern.empty()) pattern += " | ";
    pattern += long_flag(o);
    // An optional value stands behind `=` alone.
    const std::string_view kind = o.optional_value ? "optional value" : "value";
    const std::string body = completer(o, c.name);
    cases += fill(section(kBashFile, body.empty() ? std::string(kind) + " that nothing completes" : kind),
                  {{"OPTION", pattern}, {"COMPLETER", body}});
  }
  out += fill(section(kBashFile, cases.empty() ? "no values" : "values"),
              {{"COMMAND", c.joined_name('_')}, {"CASES", cases}});
}

// The names of the options, in lines of at most 100 columns.
std::string flags(const CommandDescription& c) {
  std::string out;
  std::size_t column = 17;
  const auto add = [&](const std::string& flag) {
    if (flag.empty()) return;
    if (column + 1 + flag.size() > 100) {
      out += " \\\n       ";
      column = 8;
    }
    out += " " + flag;
    column += 1 + flag.size();
  };
  for (const OptionSpec& o : c.options()) {
    add(long_flag(o));
    add(short_flag(o));
  }
  if (c.is_tool()) add("--");
  return out;
}

void append_options(std::string& out, const CommandDescription& c) {
  out += fill(section(kBashFile, "options"),
              {{"COMMAND", c.joined_name('_')},
               {"FILES", c.takes_files() ? section(kBashFile, "options of files") : ""},
               {"OPTIONS", flags(c)}});
}

}  // namespace

std::string bash_completion(std::span<const CommandDescription> commands) {
  std::string out(section(kBashFile, "head"));
  std::string names, links, tools, subcommands;
  for (const CommandDescription& c : commands) {
    append_fields(out, c);
    append_values(out, c);
    append_options(out, c);
    if (c.is_tool()) {
      links += (links.empty() ? "" : " | ") + std::string(c.name);
      tools += " " + std::string(c.name);
    }
    if (c.is_sub()) {
      subcommands +=
          fill(section(kBashFile, "subcommand"),
               {{"FIRST", c.first_word()}, {"SECOND", c.subcommand()}, {"COMMAND", c.joined_name('_')}});
    }
  }
  for (const auto& [word, summary] : first_words(commands)) names += " " + std::string(word);
  return out += fill(section(kBashFile, "helpers"), {{"LINKS", links.empty() ? "-" : links},
                                                     {"COMMANDS", names},
                                                     {"SUBCOMMANDS", subcommands},
                                                     {"TOOLS", tools}});
}

}  // namespace plumb
