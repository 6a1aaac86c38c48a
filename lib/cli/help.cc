#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace plumb {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kIndent = 28;

// Appends `text` wrapped at 80 columns, every line after the first behind `indent` spaces.
void append_wrapped(std::string& out, std::string_view text, std::size_t indent, std::size_t column) {
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
    if (column > indent && column + 1 + word.size() > kColumns) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

// Paragraphs stand apart by an empty line.
void append_paragraphs(std::string& out, std::string_view text) {
  constexpr std::string_view kBetween = "\n\n";
  for (std::size_t end = text.find(kBetween); end != std::string_view::npos; end = text.find(kBetween)) {
    append_wrapped(out, text.substr(0, end), 0, 0);
    out += '\n';
    text.remove_prefix(end + kBetween.size());
  }
  append_wrapped(out, text, 0, 0);
}

void append_entry(std::string& out, const std::string& head, std::string_view text, std::size_t indent) {
  out += "  " + head;
  std::size_t column = head.size() + 2;
  if (column + 2 > indent) {
    out += '\n';
    column = 0;
  }
  out.append(indent - column, ' ');
  append_wrapped(out, text, indent, indent);
}

std::string option_head(const OptionSpec& spec) {
  std::string head = spec.short_name != 0 ? fmt::format("-{}, ", spec.short_name) : "    ";
  head += fmt::format("--{}", spec.name);
  if (spec.optional_value) {
    head += fmt::format("[={}]", spec.metavar);
  } else if (!spec.metavar.empty()) {
    head += fmt::format(" {}", spec.metavar);
  }
  return head;
}

std::string help_of(const OptionSpec& spec) {
  std::string text(spec.help);
  if (spec.values.empty() || names_all(spec.help, spec.values)) return text;
  return text + fmt::format(" One of: {}.", fmt::join(spec.values, ", "));
}

}  // namespace

std::string_view type_name(FieldType type) {
  switch (type) {
    case FieldType::boolean:
      return "boolean";
    case FieldType::integer:
    case FieldType::unsigned_integer:
      return "integer";
    case FieldType::number:
      return "number";
    case FieldType::text:
      return "text";
    case FieldType::enumeration:
      return "one of";
    case FieldType::address:
      return "address";
    case FieldType::time:
      return "time";
    case FieldType::duration:
      return "milliseconds";
    case FieldType::bytes:
      return "bytes";
    case FieldType::list:
      return "list";
  }
  return "";
}

std::string general_help(std::span<const CommandInfo> table) {
  std::string out =
      "plumb: see to the bottom of a Linux host from one terminal\n\n"
      "Usage: plumb TOOL [OPTIONS] [-- COMMAND [ARG...]]\n"
      "       plumb help TOOL | TOOL --help | --help | --version\n\nTools:\n";
  for (const CommandInfo& command : table) append_entry(out, std::string(command.name), command.summary, 16);
  out +=
      "\nFirst steps, as root:\n"
      "  plumb doctor                        can everything be traced here?\n"
      "  plumb tcpconnect --failed           which connections fail, and how\n"
      "  plumb httptrace --top               which requests are slow or fail, live\n"
      "  plumb drops --summary -d 10s        where packets die, and why\n"
      "\nExit status: 0 success, 1 it failed at run time, 2 the command line is wrong,\n"
      "3 a --fail-if held, otherwise the COMMAND's own.\n";
  return out;
}

std::string command_help(const CommandInfo& command) {
  std::string out =
      fmt::format("plumb {0}: {1}\n\nUsage: plumb {0} {2}\n\n", command.name, command.summary, command.usage);
  append_paragraphs(out, command.description);
  CommandOptions options = options_of(command);
  std::vector<OptionSpec> all = std::move(options.own);
  all.insert(all.end(), options.common.begin(), options.common.end());
  std::vector<std::string_view> groups;
  for (const OptionSpec& spec : all) {
    if (std::ranges::find(groups, spec.group) == groups.end()) groups.push_back(spec.group);
  }
  for (const std::string_view group : groups) {
    out += fmt::format("\n{}:\n", group);
    for (const OptionSpec& spec : all) {
      if (spec.group == group) append_entry(out, option_head(spec), help_of(spec), kIndent);
    }
  }
  if (!command.examples.empty()) out += "\nExamples:\n";
  for (const Example& e : command.examples) out += fmt::format("  {}\n      {}\n", e.command, e.meaning);
  return out;
}

std::string field_list(const Schema& schema) {
  std::string out;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldSpec& f = schema.spec(i);
    std::string text = fmt::format("{}", type_name(f.type));
    for (std::size_t v = 0; v < f.values.size(); ++v)
      text += fmt::format("{}{}", v == 0 ? " " : "|", f.values[v]);
    text += fmt::format(": {}", f.help);
    if (f.types != kAllTypes) {
      text += " In";
      for (std::size_t t = 0; t < schema.types().size(); ++t) {
        if ((f.types >> t & 1U) != 0) text += fmt::format(" {}", schema.types()[t]);
      }
      text += " lines.";
    }
    append_entry(out, std::string(f.key), text, 20);
  }
  return out;
}

}  // namespace plumb
