// fish: `complete` lines, in a function for each command that is called for plumb and again for the link
// named after the tool. Candidates are lines NAME<TAB>DESCRIPTION; fish quotes them when it inserts them.
#include <fmt/format.h>

#include "completion_files.h"
#include "docs/completion.h"
#include "docs/sections.h"

namespace plumb {
namespace {

using namespace shell;

// What stands behind `complete ... -l NAME`: whether it takes a value and how that is completed.
std::string value_part(const OptionSpec& spec, std::string_view tool) {
  if (spec.metavar.empty()) return " -f";
  const std::string_view need = spec.optional_value ? "" : "r";
  switch (spec.completes) {
    case Completes::file:
      return fmt::format(" -{}F", need);
    case Completes::directory:
      return fmt::format(" -f{} -a '(__fish_complete_directories (__plumb_value))'", need);
    case Completes::pid:
      return fmt::format(" -f{} -a '(__plumb_pids)'", need);
    case Completes::comm:
      return fmt::format(" -f{} -a '(__plumb_comms)'", need);
    case Completes::user:
      return fmt::format(" -f{} -a '(__plumb_users)'", need);
    case Completes::container:
      return fmt::format(" -f{} -a '(__plumb_containers)'", need);
    case Completes::device:
      return fmt::format(" -f{} -a '(__plumb_devices)'", need);
    case Completes::field:
      return fmt::format(" -f{} -a '(__plumb_{}_fields __plumb_expression)'", need, tool);
    case Completes::field_list:
      return fmt::format(" -f{} -a '(__plumb_{}_fields __plumb_list)'", need, tool);
    case Completes::offers:
      return fmt::format(" -f{} -a '(__plumb_list {})'", need, fmt::join(spec.offers, " "));
    case Completes::nothing:
    case Completes::values:
      break;
  }
  if (spec.values.empty()) return fmt::format(" -f{}", need);
  // The argument of -a is expanded once more by fish, so each word is quoted in it and the whole again.
  std::string words;
  for (const std::string_view v : spec.values) words += (words.empty() ? "" : " ") + quote_fish(v);
  return fmt::format(" -f{} -a {}", need, quote_fish(words));
}

std::string fields(const Schema& schema, std::string_view indent) {
  std::string out;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldSpec& f = schema.spec(i);
    out += fmt::format(" \\\n{}    {}\\t{}", indent, f.key, quote_fish(brief(f.help)));
  }
  return out;
}

void append_fields(std::string& out, const CommandDescription& c) {
  if (c.lines == nullptr) return;
  std::string summary;
  if (c.summary_lines != nullptr)
    summary =
        fill(section(kFishFile, "fields of summary"), {{"FIELDS", fields(*c.summary_lines, "        ")}});
  out += fill(section(kFishFile, "fields"),
              {{"COMMAND", c.name}, {"SUMMARY", summary}, {"FIELDS", fields(*c.lines, "    ")}});
}

void append_options(std::string& out, const CommandDescription& c) {
  std::string options;
  for (const OptionSpec& o : c.options()) {
    options += fill(section(kFishFile, "option"),
                    {{"SHORT", o.short_name == 0 ? std::string{} : fmt::format(" -s {}", o.short_name)},
                     {"OPTION", o.name},
                     {"VALUE", value_part(o, c.name)},
                     {"HELP", quote_fish(brief(o.help))}});
  }
  out += fill(section(kFishFile, "options"), {{"COMMAND", c.joined_name('_')}, {"OPTIONS", options}});
}

// A second word that belongs to the command's name: it is offered, and what stands behind it.
std::string subcommand(const CommandDescription& c) {
  std::string out = fill(section(kFishFile, "subcommand"), {{"FIRST", c.first_word()},
                                                            {"SECOND", c.subcommand()},
                                                            {"HELP", quote_fish(c.summary)},
                                                            {"COMMAND", c.joined_name('_')},
                                                            {"NAME", c.name}});
  if (c.takes_files()) out += fill(section(kFishFile, "subcommand with files"), {{"NAME", c.name}});
  return out;
}

}  // namespace

std::string fish_completion(std::span<const CommandDescription> commands) {
  std::string subcommands, functions, words, uses;
  for (const CommandDescription& c : commands) {
    append_fields(functions, c);
    append_options(functions, c);
    if (c.is_sub()) {
      subcommands += " " + quote_fish(c.name);
      uses += subcommand(c);
      continue;
    }
    uses += fill(section(kFishFile, "use"), {{"COMMAND", c.name}});
    if (c.is_tool()) uses += fill(section(kFishFile, "tool"), {{"COMMAND", c.name}});
  }
  for (const auto& [word, summary] : first_words(commands))
    words += fill(section(kFishFile, "command"), {{"COMMAND", word}, {"HELP", quote_fish(summary)}});
  return fill(section(kFishFile, "head"), {{"SUBCOMMANDS", subcommands}}) + functions +
         fill(section(kFishFile, "first"), {{"COMMANDS", words}, {"USES", uses}});
}

}  // namespace plumb
