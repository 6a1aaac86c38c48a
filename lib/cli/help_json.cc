// Help as data, for programs that call plumb.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/help.h"
#include "version.h"

namespace plumb {
namespace {

// Objects and arrays after one another; commas are its own matter.
class Writer {
 public:
  Writer& key(std::string_view name) {
    text(name);
    out_ += ':';
    comma_ = false;
    return *this;
  }
  void text(std::string_view s) {
    separate();
    out_ += '"';
    append_json_escaped(out_, s);
    out_ += '"';
  }
  void text_or_null(std::string_view s) { s.empty() ? word("null") : text(s); }
  void boolean(bool b) { word(b ? "true" : "false"); }
  void number(int n) { word(std::to_string(n)); }
  void open(char c) {
    separate();
    out_ += c;
    comma_ = false;
  }
  void close(char c) {
    out_ += c;
    comma_ = true;
  }
  void word(std::string_view w) {
    separate();
    out_ += w;
  }
  template <class Items, class Each>
  void array(const Items& items, Each&& each) {
    open('[');
    for (const auto& item : items) each(item);
    close(']');
  }
  void texts(std::span<const std::string_view> items) {
    array(items, [this](std::string_view s) { text(s); });
  }
  std::string take() && { return std::move(out_) + '\n'; }

 private:
  void separate() {
    if (comma_) out_ += ',';
    comma_ = true;
  }
  std::string out_;
  bool comma_ = false;
};

void write_option(Writer& w, const OptionSpec& o) {
  w.open('{');
  w.key("name").text(fmt::format("--{}", o.name));
  w.key("short").text_or_null(o.short_name == 0 ? std::string{} : fmt::format("-{}", o.short_name));
  w.key("value").text_or_null(o.metavar);
  w.key("value_optional").boolean(o.optional_value);
  w.key("repeatable").boolean(o.repeatable);
  w.key("values").texts(o.values);
  w.key("group").text(o.group);
  w.key("help").text(o.help);
  w.close('}');
}

void write_fields(Writer& w, const Schema* schema) {
  if (schema == nullptr) return w.word("null");
  w.open('[');
  for (std::size_t i = 0; i < schema->size(); ++i) {
    const FieldSpec& f = schema->spec(i);
    w.open('{');
    w.key("key").text(f.key);
    w.key("type").text(f.type == FieldType::enumeration ? "text" : type_name(f.type));
    w.key("values").texts(f.values);
    w.key("lines").open('[');
    for (std::size_t t = 0; t < schema->types().size(); ++t) {
      if ((f.types >> t & 1U) != 0) w.text(schema->types()[t]);
    }
    w.close(']');
    w.key("help").text(f.help);
    w.close('}');
  }
  w.close(']');
}

void write_command(Writer& w, const CommandInfo& command) {
  const CommandOptions options = options_of(command);
  w.open('{');
  w.key("name").text(command.name);
  w.key("summary").text(command.summary);
  w.key("usage").text(fmt::format("plumb {} {}", command.name, command.usage));
  w.key("description").text_or_null(command.description);
  w.key("options").open('[');
  for (const auto* specs : {&options.own, &options.common}) {
    for (const OptionSpec& o : *specs) write_option(w, o);
  }
  w.close(']');
  w.key("formats").texts(command.formats);
  w.key("fields");
  write_fields(w, command.schema);
  w.key("summary_fields");
  write_fields(w, command.summary_schema);
  w.key("examples").array(command.examples, [&w](const Example& e) {
    w.open('{');
    w.key("command").text(e.command);
    w.key("meaning").text(e.meaning);
    w.close('}');
  });
  w.close('}');
}

constexpr std::pair<int, std::string_view> kStatuses[] = {{kSuccess, "success"},
                                                          {kFailed, "it failed at run time"},
                                                          {kWrongCommandLine, "the command line is wrong"},
                                                          {kThresholdHeld, "a --fail-if held"}};

}  // namespace

std::string help_json(std::span<const CommandInfo> commands) {
  Writer w;
  w.open('{');
  w.key("type").text("help");
  w.key("version").text(kVersion);
  w.key("commands").array(commands, [&w](const CommandInfo& c) { write_command(w, c); });
  w.key("exit_statuses").array(kStatuses, [&w](const auto& status) {
    w.open('{');
    w.key("status").number(status.first);
    w.key("meaning").text(status.second);
    w.close('}');
  });
  w.close('}');
  return std::move(w).take();
}

}  // namespace plumb
