// zsh: one `_arguments` call for each command; descriptions come from the help texts. Candidates from outside
// reach the line through compadd, which quotes them; `_describe` wants its colons escaped.
#include <fmt/format.h>

#include "completion_files.h"
#include "docs/completion.h"
#include "docs/sections.h"

namespace plumb {
namespace {

using namespace shell;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

// What follows the message. With a blank before it, _arguments calls a function as it stands, without words
// for compadd.
std::string action(const OptionSpec& spec, std::string_view tool) {
  switch (spec.completes) {
    case Completes::file:
      return "_files";
    case Completes::directory:
      return "_files -/";
    case Completes::pid:
      return " _plumb_pids";
    case Completes::comm:
      return " _plumb_comms";
    case Completes::user:
      return "_users";
    case Completes::container:
      return " _plumb_containers";
    case Completes::device:
      return " _plumb_devices";
    case Completes::field:
      return fmt::format(" _plumb_{}_fields _plumb_expression", tool);
    case Completes::field_list:
      return fmt::format(" _plumb_{}_fields _plumb_list", tool);
    case Completes::offers:
      return fmt::format(" _plumb_list values {}", fmt::join(spec.offers, " "));
    case Completes::nothing:
    case Completes::values:
      break;
  }
  if (spec.values.empty()) return "( )";
  std::string out = "(";
  for (std::size_t i = 0; i < spec.values.size(); ++i) {
    if (i != 0) out += ' ';
    for (const char c : spec.values[i]) {  // a word that zsh reads as shell code
      if (!is_plain(c)) out += '\\';
      out += c;
    }
  }
  return out + ")";
}

// The specifications of one option: '(-p --pid)'{-p+,--pid=}'[help]:PID:_plumb_pids'.
std::string specification(const OptionSpec& spec, std::string_view tool) {
  const bool value = !spec.metavar.empty();
  const std::string short_name = short_flag(spec);
  const std::string long_name = long_flag(spec);
  std::string tail = fmt::format("[{}]", escape_zsh_spec(brief(spec.help)));
  if (value) {
    tail += fmt::format("{}{}:{}", spec.optional_value ? "::" : ":", escape_zsh_spec(spec.metavar),
                        action(spec, tool));
  }
  const std::string long_form = long_name + (!value ? "" : spec.optional_value ? "=-" : "=");
  std::string head;
  if (spec.repeatable) {
    head = quote("*");
  } else {
    head = quote(fmt::format("({}{}{})", short_name, short_name.empty() ? "" : " ", long_name));
  }
  if (short_name.empty()) return head + long_form + quote(tail);
  return fmt::format("{}{{{}{},{}}}{}", head, short_name, value ? "+" : "", long_form, quote(tail));
}

std::string field_specs(const Schema& schema) {
  std::string out;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldSpec& f = schema.spec(i);
    std::string text;
    for (const char c : brief(f.help)) {
      if (c == ':' || c == '\\') text += '\\';
      text += c;
    }
    out += fill(section(kZshFile, "field"), {{"FIELD", quote(fmt::format("{}:{}", f.key, text))}});
  }
  return out;
}

void append_fields(std::string& out, const CommandDescription& c) {
  if (c.lines == nullptr) return;
  const bool both = c.summary_lines != nullptr;
  out += fill(section(kZshFile, both ? "fields with summary" : "fields"),
              {{"COMMAND", c.name},
               {"FIELDS", field_specs(*c.lines)},
               {"SUMMARY", both ? field_specs(*c.summary_lines) : std::string{}}});
}

void append_arguments(std::string& out, const CommandDescription& c) {
  std::string options;
  const auto add = [&](std::string_view specified) {
    options += fill(section(kZshFile, "option"), {{"OPTION", specified}});
    options.pop_back();  // the line goes on
  };
  for (const OptionSpec& o : c.options()) add(specification(o, c.name));
  if (c.takes_files()) add("'*:file:_files'");
  out += fill(section(kZshFile, "arguments"), {{"COMMAND", c.joined_name('_')}, {"OPTIONS", options}});
}

}  // namespace

std::string zsh_completion(std::span<const CommandDescription> commands) {
  std::string tools, words, subcommands, functions;
  for (const CommandDescription& c : commands) {
    append_fields(functions, c);
    append_arguments(functions, c);
    if (c.is_tool()) tools += " " + std::string(c.name);
    if (!c.is_sub()) continue;
    subcommands += fill(section(kZshFile, "subcommand"),
                        {{"FIRST", c.first_word()},
                         {"SECOND", c.subcommand()},
                         {"DESCRIBED", quote(fmt::format("{}:{}", c.subcommand(), c.summary))},
                         {"COMMAND", c.joined_name('_')}});
  }
  for (const auto& [word, summary] : first_words(commands))
    words += fill(section(kZshFile, "command"), {{"COMMAND", quote(fmt::format("{}:{}", word, summary))}});
  return fill(section(kZshFile, "head"), {{"TOOLS", tools}}) + functions +
         fill(section(kZshFile, "main"), {{"COMMANDS", words}, {"SUBCOMMANDS", subcommands}});
}

}  // namespace plumb
