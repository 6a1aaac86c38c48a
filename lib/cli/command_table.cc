#include "cli/command_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "base/say.h"
#include "base/text.h"
#include "cli/help.h"
#include "version.h"

namespace plumb {
namespace {

constexpr std::string_view kHelp = "Help";
// The parser adds both to every command's table itself.
constexpr OptionSpec kHelpOption{
    .name = "help", .short_name = 'h', .group = kHelp, .help = "Show all options and exit."};
constexpr OptionSpec kVersionOption{.name = "version", .group = kHelp, .help = "Print the version and exit."};

// The row that the words begin with: "flame diff" before "flame". nullptr: none.
const CommandInfo* find_command(std::span<const CommandInfo> table, std::span<const std::string> words) {
  const CommandInfo* found = nullptr;
  for (const CommandInfo& command : table) {
    const std::size_t space = command.name.find(' ');
    const bool first = !words.empty() && command.name.substr(0, space) == words[0];
    if (space == std::string_view::npos) {
      if (first && found == nullptr) found = &command;
    } else if (first && words.size() > 1 && command.name.substr(space + 1) == words[1]) {
      return &command;
    }
  }
  return found;
}

std::size_t words_of(const CommandInfo& command) {
  return 1 + static_cast<std::size_t>(std::ranges::count(command.name, ' '));
}

Error unknown_command(std::span<const CommandInfo> table, std::string_view name) {
  if (name.starts_with('-'))
    return Error{"no tool before '" + std::string(name) + "'",
                 "options stand behind the tool that they are for",
                 "such as: plumb tcpconnect " + std::string(name)};
  std::vector<std::string_view> known{"help"};
  for (const CommandInfo& command : table) known.push_back(command.name);
  const auto near = suggestions(name, known, 1);
  return Error{"no tool '" + std::string(name) + "'",
               {},
               near.empty() ? "plumb --help lists the tools; to trace a command: plumb tcpconnect -- " +
                                  std::string(name) + " ..."
                            : "did you mean '" + std::string(near.front()) + "'?"};
}

// Whether the command line asks for JSON; set before it is parsed, since that may be what fails.
bool& json_asked() {
  static bool asked = false;
  return asked;
}

bool is_json_word(std::string_view w) {
  return w == "--json" || w == "-j" || w == "--format=json" || w == "-fjson";
}

// `plumb help`, `plumb help flame diff`.
int print_help_of(std::span<const CommandInfo> table, std::vector<std::string> words) {
  std::erase_if(words, is_json_word);
  if (words.empty()) return print(json_asked() ? help_json(table) : general_help(table));
  const CommandInfo* command = find_command(table, words);
  if (command == nullptr) return wrong_command_line(unknown_command(table, words[0]));
  if (words.size() > words_of(*command)) {
    return wrong_command_line(
        {"unexpected argument '" + words[words_of(*command)] + "'", "plumb help takes the name of one tool"});
  }
  return print_help(*command);
}

// An excerpt's lines, which are printable already.
void append_indented(std::string& out, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    out += "  ";
    out += lines.substr(0, end);
    out += '\n';
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

bool names_json(std::span<const std::string> words) {
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& w = words[i];
    if (is_json_word(w)) return true;
    if ((w == "--format" || w == "-f") && i + 1 < words.size() && words[i + 1] == "json") return true;
  }
  return false;
}

void append_json_error(std::string& out, const Error& error, ExitStatus status) {
  const auto member = [&out](std::string_view key, std::string_view value) {
    out += fmt::format(",\"{}\":", key);
    if (value.empty()) {
      out += "null";
      return;
    }
    out += '"';
    append_json_escaped(out, value);
    out += '"';
  };
  out += R"({"type":"error")";
  member("what", error.what);
  member("why", error.why);
  member("hint", error.hint);
  out += fmt::format(",\"exit\":{}}}\n", static_cast<int>(status));
}

}  // namespace

void append_visible(std::vector<OptionSpec>& specs, const OptionTable& table) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (!table.spec(i).hidden) specs.push_back(table.spec(i));
  }
}

CommandOptions options_of(const CommandInfo& command) {
  CommandOptions options = command.options(command);
  options.common.push_back(kHelpOption);
  options.common.push_back(kVersionOption);
  return options;
}

int print(const std::string& text) {
  if (print_text(text) || errno == EPIPE) return kSuccess;  // a reader that has seen enough is no failure
  print_error({"cannot write to standard output", errno_text(errno)}, false);
  return kFailed;
}

bool asks_for_json() {
  return json_asked();
}

int print_help(const CommandInfo& command) {
  return print(asks_for_json() ? help_json({&command, 1}) : command_help(command));
}

int print_version() {
  return print(fmt::format("plumb {}\n", kVersion));
}

int wrong_command_line(const Error& error) {
  print_error(error, false, kWrongCommandLine);
  return kWrongCommandLine;
}

void print_error(const Error& error, bool verbose, ExitStatus status) {
  std::string text = "plumb: ";
  append_printable(text, error.what);
  if (!error.why.empty()) {
    text += ": ";
    append_printable(text, error.why);
  }
  text += '\n';
  append_indented(text, error.excerpt);
  if (!error.hint.empty()) {
    text += "  ";
    append_printable(text, error.hint);
    text += '\n';
  }
  if (verbose) text += error.details;
  if (json_asked()) append_json_error(text, error, status);
  say_text(text);
}

int plumb_main(std::span<const CommandInfo> table, std::span<const std::string> arguments) {
  json_asked() = names_json(arguments);
  const std::string_view path =
      arguments.empty() ? std::string_view("plumb") : std::string_view(arguments.front());
  const std::string called(file_name(path));
  if (find_command(table, std::span(&called, 1)) != nullptr) {
    std::vector<std::string> words(arguments.begin(), arguments.end());
    words.front() = called;
    const CommandInfo& command = *find_command(table, words);
    return command.main(command, std::span(words).subspan(words_of(command)));
  }
  if (arguments.size() < 2) {
    say_text(general_help(table));
    return kWrongCommandLine;
  }
  const std::span<const std::string> words = arguments.subspan(1);
  if (const CommandInfo* command = find_command(table, words); command != nullptr) {
    return command->main(*command, words.subspan(words_of(*command)));
  }
  const bool json_first = words.size() > 1 && is_json_word(words[0]);
  const std::string& first = words[json_first ? 1 : 0];
  if (first == "--help" || first == "-h") return print_help_of(table, {});
  if (first == "help") return print_help_of(table, {words.begin() + (json_first ? 2 : 1), words.end()});
  if (words[0] == "--version" || words[0] == "-V") return print_version();
  return wrong_command_line(unknown_command(table, words[0]));
}

}  // namespace plumb
