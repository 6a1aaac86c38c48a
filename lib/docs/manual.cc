// The order of a page is fixed here (kOrder), as mdoc(7) and custom have it. Of each section the hand-written
// part comes first, then what the tables say; a section that neither fills is left out.
#include "docs/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>

#include "docs/mdoc.h"
#include "otlp/config.h"

namespace plumb {
namespace {

using mdoc::argument;

constexpr std::string_view kOrder[] = {"NAME",           "SYNOPSIS",    "DESCRIPTION",
                                       "TOOLS",          "OPTIONS",     "OUTPUT FIELDS",
                                       "SUMMARY FIELDS", "KERNEL",      "OVERHEAD",
                                       "ENVIRONMENT",    "FILES",       "EXIT STATUS",
                                       "EXAMPLES",       "DIAGNOSTICS", "SEE ALSO",
                                       "STANDARDS",      "HISTORY",     "AUTHORS",
                                       "CAVEATS",        "BUGS",        "SECURITY CONSIDERATIONS"};

using Sections = std::map<std::string, std::string, std::less<>>;

template <class... Args>
void line(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
  out += '\n';
}

// "a, b or c" as literals, one a line: `.Cm a , b`.
void append_choices(std::string& out, std::string_view macro, std::span<const std::string_view> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool last = i + 1 == values.size();
    const bool before_last = i + 2 == values.size();
    line(out, ".{} {}{}", macro, argument(values[i]), last ? " ." : before_last ? "" : " ,");
    if (before_last) out += "or\n";
  }
}

// ---- options

std::string option_synopsis(const OptionSpec& spec) {
  std::string text = fmt::format("Fl {}", argument("-" + std::string(spec.name)));
  if (spec.optional_value) {
    text += fmt::format(" Ns Op Ns = Ns Ar {}", argument(spec.metavar));
  } else if (!spec.metavar.empty()) {
    text += fmt::format(" Ar {}", argument(spec.metavar));
  }
  return text;
}

void append_option(std::string& out, const OptionSpec& spec) {
  const std::string short_name =
      spec.short_name == 0 ? "" : fmt::format("Fl {} , ", argument(std::string(1, spec.short_name)));
  line(out, ".It {}{}", short_name, option_synopsis(spec));
  mdoc::append_text(out, spec.help);
  if (!spec.values.empty() && !names_all(spec.help, spec.values)) {
    out += "The value is\n";
    append_choices(out, "Cm", spec.values);
  }
  if (spec.repeatable) out += "It can be given more than once.\n";
}

void append_option_groups(std::string& out, std::span<const OptionSpec> options) {
  std::vector<std::string_view> groups;
  for (const OptionSpec& o : options) {
    if (std::find(groups.begin(), groups.end(), o.group) == groups.end()) groups.push_back(o.group);
  }
  for (const std::string_view group : groups) {
    line(out, ".Ss {}", mdoc::escape_heading(group));
    out += ".Bl -tag -width Ds\n";
    for (const OptionSpec& o : options) {
      if (o.group == group) append_option(out, o);
    }
    out += ".El\n";
  }
}

// ---- fields

std::string_view type_words(FieldType type) {
  switch (type) {
    case FieldType::boolean:
      return "true or false";
    case FieldType::integer:
    case FieldType::unsigned_integer:
      return "integer";
    case FieldType::number:
      return "number";
    case FieldType::text:
    case FieldType::enumeration:
      return "text";
    case FieldType::address:
      return "address";
    case FieldType::time:
      return "time";
    case FieldType::duration:
      return "milliseconds";
    case FieldType::bytes:
      return "bytes";
    case FieldType::list:
      return "list of texts";
  }
  return "";
}

void append_field(std::string& out, const FieldSpec& f) {
  line(out, ".It Va {} Pq {} , No column {}", argument(f.key), type_words(f.type), argument(f.heading));
  mdoc::append_text(out, f.help);
  if (f.type != FieldType::enumeration || names_all(f.help, f.values)) return;
  out += "The value is\n";
  append_choices(out, "Cm", f.values);
}

// "Lines of the types connect and accept": the title of the fields that these types carry.
std::string line_types(const Schema& schema, TypeMask mask) {
  const std::size_t all = schema.types().size();
  std::vector<std::string_view> names;
  for (std::size_t t = 0; t < all; ++t) {
    if ((mask >> t & 1U) != 0) names.push_back(schema.types()[t]);
  }
  if (names.size() == all) return "Every line";
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return fmt::format("Lines of type {}", text);
}

TypeMask relevant(const Schema& schema, TypeMask mask) {
  const std::size_t types = schema.types().size();
  return types >= 32 ? mask : mask & ((TypeMask{1} << types) - 1);
}

void append_fields(std::string& out, const Schema& schema) {
  std::vector<TypeMask> masks;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const TypeMask mask = relevant(schema, schema.spec(i).types);
    if (std::find(masks.begin(), masks.end(), mask) == masks.end()) masks.push_back(mask);
  }
  std::stable_sort(masks.begin(), masks.end(), std::greater<>());
  for (const TypeMask mask : masks) {
    if (schema.types().size() > 1) line(out, ".Ss {}", mdoc::escape_heading(line_types(schema, mask)));
    out += ".Bl -tag -width Ds\n";
    for (std::size_t i = 0; i < schema.size(); ++i) {
      if (relevant(schema, schema.spec(i).types) == mask) append_field(out, schema.spec(i));
    }
    out += ".El\n";
  }
}

std::string fields_section(const Schema& schema) {
  std::string out = "A table shows, unless\n.Fl \\-columns\nor\n.Fl \\-wide\nis given:\n";
  std::vector<std::string_view> shown;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    if (schema.spec(i).shown) shown.push_back(schema.spec(i).key);
  }
  for (std::size_t i = 0; i < shown.size(); ++i) {
    line(out, ".Va {} {}", argument(shown[i]), i + 1 == shown.size() ? "." : ",");
  }
  if (shown.empty()) out.clear();
  append_fields(out, schema);
  return out;
}

// ---- the rest

constexpr std::size_t kFilledCommand = 66;  // what a page of 80 columns shows on one line

std::string capitalized(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out.front() >= 'a' && out.front() <= 'z')
    out.front() = static_cast<char>(out.front() - 'a' + 'A');
  return out;
}

void append_examples(std::string& out, std::span<const Example> examples) {
  for (const Example& e : examples) {
    if (!out.empty()) out += ".Pp\n";
    mdoc::append_text(out, capitalized(e.meaning) + ":");
    // A long command is not filled, so that no line break gets into it.
    const std::string command = "$ " + std::string(e.command);
    if (command.size() > kFilledCommand) {
      line(out, ".Bd -literal -offset indent\n{}\n.Ed", mdoc::escape_literal(command));
    } else {
      line(out, ".Pp\n.Dl {}", argument(command));
    }
  }
}

void append_hook(std::string& out, const Hook& hook) {
  line(out, ".It Sy {}", argument(hook.name));
  mdoc::append_text(out,
                    fmt::format("{}{}.", capitalized(hook.purpose), hook.required ? "" : " (not required)"));
  out += hook.variants.size() > 1 ? "Best first:\n" : "By\n";
  for (std::size_t i = 0; i < hook.variants.size(); ++i) {
    const HookVariant& v = hook.variants[i];
    line(out, ".Cm {}", argument(v.name));
    const std::string_view end = i + 1 == hook.variants.size() ? "." : ",";
    if (v.cost.empty()) {
      out.pop_back();
      line(out, " {}", end);
    } else {
      mdoc::append_text(out, fmt::format("({}){}", v.cost, end));
    }
  }
}

std::string kernel_section(std::span<const Hook> hooks) {
  if (hooks.empty()) return {};
  std::string out =
      "It hooks into the kernel at these places.\n"
      "Where there is more than one way, the first that this kernel allows is taken;\n"
      ".Fl v\nand\n.Nm plumb Cm doctor\nsay which, and why.\nWhat each costs stands in parentheses.\n.Bl "
      "-tag -width Ds\n";
  for (const Hook& h : hooks) append_hook(out, h);
  return out + ".El\n";
}

// References sorted by section and name, which is the order that mdoc(7) wants, with commas between.
std::string references(const std::vector<std::string>& lines) {
  std::set<std::pair<std::string, std::string>> found;
  for (const std::string& l : lines) {
    const std::size_t space = l.rfind(' ');
    if (space != std::string::npos) found.emplace(l.substr(space + 1), l.substr(0, space));
  }
  std::string out;
  for (const auto& [section, name] : found) {
    if (!out.empty()) out.insert(out.size() - 1, " ,");
    line(out, ".Xr {} {}", name, section);
  }
  return out;
}

std::vector<std::string> xr_lines(const Prose& prose) {
  std::vector<std::string> lines;
  const ProseSection* section = prose.find("SEE ALSO");
  std::string_view text = section == nullptr ? std::string_view{} : std::string_view(section->body);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view l = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (l.starts_with(".Xr ")) lines.emplace_back(l.substr(4));
  }
  return lines;
}

bool is_customary(std::string_view name) {
  return std::find(std::begin(kOrder), std::end(kOrder), name) != std::end(kOrder);
}

// Section `name` and behind it the sections of the prose that follow it and are not customary themselves.
void append_section(std::string& out, std::string_view name, const std::string& body, const Prose& own) {
  if (!body.empty()) out += fmt::format(".Sh {}\n{}", name, body);
  for (const ProseSection& s : own.sections) {
    if (s.after == name && !is_customary(s.name)) append_section(out, s.name, s.body, own);
  }
}

// Of each section: what is shared, what is this page's own, what the tables say.
std::string page(std::string_view title, const Prose& own, const Prose& shared, const Sections& generated) {
  std::string out = ".\\\" Generated from plumb's tables and man/*.prose.mdoc: edit those.\n";
  line(out, ".Dd {}\n.Dt {} 1\n.Os", own.date, title);
  for (const std::string_view name : kOrder) {
    std::string body;
    for (const Prose* prose : {&shared, &own}) {
      const ProseSection* s = prose->find(name);
      if (s != nullptr && name != "SEE ALSO") body += s->body;
    }
    if (const auto tables = generated.find(name); tables != generated.end()) {
      if (!body.empty() && name == "EXAMPLES" && !tables->second.empty()) body += ".Pp\n";
      body += tables->second;
    }
    append_section(out, name, body, own);
  }
  return out;
}

std::string tool_synopsis(const CommandDescription& tool) {
  std::string out = fmt::format(".Nm plumb\n.Cm {}\n", argument(tool.name));
  if (!tool.is_tool()) {
    for (std::string_view rest = tool.usage.substr(0, tool.usage.find('[')); !rest.empty();) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      if (end != 0) line(out, ".Ar {}", argument(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  for (const OptionSpec& o : tool.own) line(out, ".Op {}", option_synopsis(o));
  if (!tool.is_tool()) return out;
  out += ".Op Ar option ...\n";
  out += ".Op Fl \\- Ar COMMAND Op Ar ARG ...\n";
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

// What all tools share. A value that only some of them take stands there too: their own pages tell.
std::vector<OptionSpec> options_of_all(std::span<const CommandDescription> commands) {
  std::vector<OptionSpec> all;
  for (const CommandDescription& c : commands) {
    if (!c.is_tool()) continue;
    if (all.empty()) all = c.common;
    for (std::size_t i = 0; i < std::min(all.size(), c.common.size()); ++i) {
      if (c.common[i].values.size() > all[i].values.size()) all[i].values = c.common[i].values;
    }
  }
  return all;
}

// The variables of --otlp, by the table that reads them.
std::string push_environment() {
  std::string out = ".Ss OpenTelemetry\nWith\n.Fl \\-otlp ,\n";
  mdoc::append_text(
      out,
      "as OpenTelemetry's specification has them. One that is empty counts as unset. Those that "
      "begin with OTEL_EXPORTER_OTLP_ exist for each signal alone too, such as OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, which "
      "goes before OTEL_EXPORTER_OTLP_ENDPOINT; there are LOGS, TRACES and METRICS. A value that cannot "
      "be read is ignored with a warning, unless it is of the endpoint or the protocol. sudo(8) takes "
      "variables away unless it is told to keep them.");
  out += ".Bl -tag -width Ds\n";
  for (const otlp::Variable& v : otlp::variables()) {
    line(out, ".It Ev {}", argument(v.name));
    mdoc::append_text(out, v.help);
    if (!v.fallback.empty()) line(out, "The default is\n.Dq {} .", argument(v.fallback));
  }
  return out + ".El\n";
}

}  // namespace

bool has_page(const CommandDescription& command) {
  return command.is_tool() || command.is_sub();
}

std::string man_page(const CommandDescription& tool, const Prose& own, const Prose& shared) {
  Sections s;
  s["NAME"] =
      fmt::format(".Nm plumb-{}\n.Nd {}\n", tool.joined_name('-'), mdoc::escape_heading(tool.summary));
  s["SYNOPSIS"] = tool_synopsis(tool);
  if (own.find("DESCRIPTION") == nullptr) mdoc::append_text(s["DESCRIPTION"], tool.description);
  append_option_groups(s["OPTIONS"], tool.own);
  append_option_groups(s["OPTIONS"], tool.common);
  if (tool.lines != nullptr) s["OUTPUT FIELDS"] = fields_section(*tool.lines);
  if (tool.summary_lines != nullptr) s["SUMMARY FIELDS"] = fields_section(*tool.summary_lines);
  s["KERNEL"] = kernel_section(tool.hooks);
  append_examples(s["EXAMPLES"], tool.examples);
  std::vector<std::string> see = xr_lines(own);
  see.emplace_back("plumb 1");
  s["SEE ALSO"] = references(see);
  return page(fmt::format("PLUMB-{}", upper(tool.joined_name('-'))), own, shared, s);
}

std::string main_man_page(std::span<const CommandDescription> commands, const Prose& own,
                          const Prose& shared) {
  Sections s;
  s["NAME"] = ".Nm plumb\n.Nd see to the bottom of a Linux host from one terminal\n";
  s["SYNOPSIS"] =
      ".Nm\n.Ar TOOL\n.Op Ar option ...\n.Op Fl \\- Ar COMMAND Op Ar ARG ...\n"
      ".Nm\n.Cm doctor\n.Op Fl j\n.Op Fl v\n"
      ".Nm\n.Ar TOOL\n.Fl \\-help\n"
      ".Nm\n.Fl \\-help | \\-version\n";
  std::vector<std::string> see = xr_lines(own);
  std::string& tools = s["TOOLS"];
  tools = ".Bl -tag -width Ds\n";
  for (const CommandDescription& c : commands) {
    line(tools, ".It Cm {}", argument(c.name));
    mdoc::append_text(tools, has_page(c) ? fmt::format("{}: plumb-{}(1).", c.summary, c.joined_name('-'))
                                         : fmt::format("{}.", c.summary));
    if (has_page(c)) see.push_back(fmt::format("plumb-{} 1", c.joined_name('-')));
  }
  tools += ".El\n";
  append_option_groups(s["OPTIONS"], options_of_all(commands));
  s["ENVIRONMENT"] = push_environment();
  s["SEE ALSO"] = references(see);
  return page("PLUMB", own, shared, s);
}

}  // namespace plumb
