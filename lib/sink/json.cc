// JSON lines. Which keys a line has depends on its type alone, so the text around the values is laid out
// once, when the sink is made; a row is then a few copies and the values.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "sink/formats.h"
#include "sink/time_text.h"

namespace plumb {
namespace {

void append_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

struct JsonValue {
  std::string& out;

  void operator()(None) const { out += "null"; }
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(std::int64_t v) const {
    const fmt::format_int digits(v);
    out.append(digits.data(), digits.size());
  }
  void operator()(std::uint64_t v) const {
    const fmt::format_int digits(v);
    out.append(digits.data(), digits.size());
  }
  void operator()(double v) const {
    if (!std::isfinite(v)) return (*this)(None{});  // JSON has no word for it
    char text[32];                                  // the shortest that reads back the same: at most 24
    out.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
  }
  void operator()(std::string_view v) const { append_string(out, v); }
  void operator()(Name v) const {
    out += '"';
    out.append(v.text);
    out += '"';
  }
  void operator()(const IpAddress& v) const {
    char text[IpAddress::kMaxText + 2];
    const std::size_t n = v.format(text + 1);
    if (n == 0) return (*this)(None{});
    text[0] = text[n + 1] = '"';
    out.append(text, n + 2);
  }
  void operator()(UnixTime v) const {
    char text[kRfc3339Size + 2];
    write_rfc3339(text + 1, v);
    text[0] = text[kRfc3339Size + 1] = '"';
    out.append(text, sizeof text);
  }
  void operator()(Duration v) const { append_milliseconds(out, v); }
  void operator()(TextList v) const {
    out += '[';
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (i != 0) out += ',';
      append_string(out, v[i]);
    }
    out += ']';
  }
};

class JsonSink final : public Sink {
 public:
  JsonSink(const Schema& schema, Output& output, const std::vector<std::size_t>& fields)
      : schema_(&schema), output_(&output), plans_(schema.types().size()) {
    for (std::size_t type = 0; type < plans_.size(); ++type) {
      for (std::size_t i = 0; i < schema.size(); ++i) {
        const FieldSpec& spec = schema.spec(i);
        const bool asked = fields.empty() || spec.key == "time" || spec.key == "type" ||
                           std::ranges::find(fields, i) != fields.end();
        if ((spec.types >> type & 1U) == 0 || !asked) continue;
        std::string before = plans_[type].empty() ? "{\"" : ",\"";
        before.append(spec.key).append("\":");
        plans_[type].push_back({i, std::move(before)});
      }
    }
  }

  Result<void> row(const Row& row) override {
    std::string& out = output_->buffer();
    for (const Member& member : plans_[row.type()]) {
      out.append(member.before);
      std::visit(JsonValue{out}, row.get(member.field));
    }
    out += "}\n";
    return output_->maybe_write();
  }

  Result<void> lost(const Loss& loss) override {
    std::string& out = output_->buffer();
    out += R"({"type":"lost","time":)";
    JsonValue{out}(loss.time);
    out += R"(,"count":)";
    JsonValue{out}(loss.count);
    out += "}\n";
    return output_->maybe_write();
  }

  Result<void> flush() override { return output_->write_out(); }

 private:
  struct Member {
    std::size_t field;
    std::string before;  // `,"latency_ms":`
  };

  const Schema* schema_;
  Output* output_;
  std::vector<std::vector<Member>> plans_;  // for each type of line, its members in order
};

}  // namespace

std::unique_ptr<Sink> make_json_sink(const Schema& schema, Output& output,
                                     const std::vector<std::size_t>& fields) {
  return std::make_unique<JsonSink>(schema, output, fields);
}

}  // namespace plumb
