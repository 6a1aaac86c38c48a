// The JSON encoding: the proto3 JSON mapping with the OTLP specification's deviations. Keys are
// lowerCamelCase, 64-bit integers are strings, enumerations are numbers.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "otlp/encoding.h"
#include "sink/time_text.h"

namespace plumb::otlp {
namespace {

void append_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

template <class Integer>
void append_digits(std::string& out, std::string_view before, Integer n, std::string_view after) {
  const fmt::format_int digits(n);
  out.append(before).append(digits.data(), digits.size()).append(after);
}

// Appends an AnyValue.
struct ValueWriter {
  std::string& out;

  void operator()(None) const { out += "{}"; }
  void operator()(bool v) const { out.append(R"({"boolValue":)").append(v ? "true}" : "false}"); }
  void operator()(std::int64_t v) const { append_digits(out, R"({"intValue":")", v, R"("})"); }
  void operator()(std::uint64_t v) const {
    const bool fits = v <= std::numeric_limits<std::int64_t>::max();
    append_digits(out, fits ? R"({"intValue":")" : R"({"stringValue":")", v, R"("})");
  }
  void operator()(double v) const {
    out += R"({"doubleValue":)";
    if (std::isfinite(v)) {
      char text[32];  // the shortest that reads back the same: at most 24
      out.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
    } else {
      out += std::isnan(v) ? R"("NaN")" : v > 0 ? R"("Infinity")" : R"("-Infinity")";
    }
    out += '}';
  }
  void operator()(std::string_view v) const {
    out += R"({"stringValue":)";
    append_string(out, v);
    out += '}';
  }
  void operator()(Name v) const { (*this)(v.text); }
  void operator()(const IpAddress& v) const {
    char text[IpAddress::kMaxText];
    (*this)(std::string_view(text, v.format(text)));
  }
  void operator()(UnixTime v) const {
    char text[kRfc3339Size];
    write_rfc3339(text, v);
    (*this)(std::string_view(text, sizeof text));
  }
  void operator()(Duration v) const { (*this)(milliseconds(v)); }
  void operator()(TextList v) const {
    out += R"({"arrayValue":{"values":[)";
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (i != 0) out += ',';
      (*this)(v[i]);
    }
    out += "]}}";
  }
};

void append_attribute(std::string& out, bool first, std::string_view key, const Value& value) {
  out += first ? R"({"key":)" : R"(,{"key":)";
  append_string(out, key);
  out += R"(,"value":)";
  std::visit(ValueWriter{out}, value);
  out += '}';
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// A 64-bit integer: the mapping writes a string, and reads a number too.
std::uint64_t count_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return 0;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  std::uint64_t n = 0;
  const std::string text = text_of(object, key);
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), n);
  return status == std::errc{} && *rest == '\0' ? n : 0;
}

class JsonEncoding final : public Encoding {
 public:
  explicit JsonEncoding(const Source& source) {
    before_ = R"({"resourceLogs":[{"resource":{"attributes":[)";
    for (const Pair& p : source.resource)
      append_attribute(before_, &p == source.resource.data(), p.key, std::string_view(p.value));
    before_ += R"(]},"scopeLogs":[{"scope":{"name":"plumb","version":)";
    append_string(before_, source.version);
    before_ += R"(},"logRecords":[)";
  }

  std::string_view content_type() const override { return "application/json"; }

  void append(std::string& records, const Record& r) override {
    records += records.empty() ? "{" : ",{";
    if (r.time.ns > 0) append_digits(records, R"("timeUnixNano":")", r.time.ns, R"(",)");
    append_digits(records, R"("observedTimeUnixNano":")", r.observed.ns, R"(",)");
    append_digits(records, R"("severityNumber":)", static_cast<int>(r.severity), ",");
    records += r.severity == Severity::warn ? R"("severityText":"WARN",)" : R"("severityText":"INFO",)";
    records += R"("eventName":)";
    append_string(records, r.event_name);
    if (!r.body.empty()) {
      records += R"(,"body":)";
      ValueWriter{records}(r.body);
    }
    records += R"(,"attributes":[)";
    for (const Attribute& a : r.attributes)
      append_attribute(records, &a == r.attributes.data(), a.key, a.value);
    records += "]}";
  }

  std::string request(std::string_view records) const override {
    std::string out = before_;
    out.append(records).append("]}]}]}");
    return out;
  }

  Answer answer(std::string_view body, bool success) const override {
    const nlohmann::json parsed = nlohmann::json::parse(body, nullptr, false);
    if (!parsed.is_object()) return {};
    if (!success) return {0, text_of(parsed, "message")};
    const auto partial = parsed.find("partialSuccess");
    if (partial == parsed.end() || !partial->is_object()) return {};
    return {count_of(*partial, "rejectedLogRecords"), text_of(*partial, "errorMessage")};
  }

 private:
  std::string before_;
};

}  // namespace

std::unique_ptr<Encoding> make_json_encoding(const Source& source) {
  return std::make_unique<JsonEncoding>(source);
}

}  // namespace plumb::otlp
