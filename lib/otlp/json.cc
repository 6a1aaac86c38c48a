// The JSON encoding: the proto3 JSON mapping with the OTLP specification's deviations. Keys are
// lowerCamelCase, 64-bit integers are strings, enumerations are numbers.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "otlp/describe.h"

namespace plumb::otlp {
namespace {

void append_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

void append_number(std::string& out, double v) {
  if (std::isfinite(v)) {
    char text[32];  // the shortest that reads back the same: at most 24
    out.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
  } else {
    out += std::isnan(v) ? R"("NaN")" : v > 0 ? R"("Infinity")" : R"("-Infinity")";
  }
}

class JsonWriter final : public MessageWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void text(Key key, std::string_view v) override {
    name(key);
    append_string(out_, v);
  }
  void identity(Key key, std::span<const std::byte> bytes) override {
    name(key);
    out_ += '"';
    for (const std::byte b : bytes) fmt::format_to(std::back_inserter(out_), "{:02x}", b);
    out_ += '"';
  }
  void boolean(Key key, bool v) override {
    name(key);
    out_ += v ? "true" : "false";
  }
  void small(Key key, std::uint32_t v) override {
    name(key);
    digits(v);
  }
  void integer(Key key, std::int64_t v) override { quoted(key, v); }
  void wide(Key key, std::uint64_t v) override { quoted(key, v); }
  void fixed32(Key key, std::uint32_t v) override { small(key, v); }
  void fixed64(Key key, std::uint64_t v) override { quoted(key, v); }
  void signed_fixed64(Key key, std::int64_t v) override { quoted(key, v); }
  void number(Key key, double v) override {
    name(key);
    append_number(out_, v);
  }
  void all_fixed64(Key key, std::span<const std::uint64_t> v) override { all(key, v, "\""); }
  void all_small(Key key, std::span<const std::int64_t> v) override { all(key, v, ""); }
  void all_integers(Key key, std::span<const std::int64_t> v) override { all(key, v, "\""); }
  void all_texts(Key key, std::span<const std::string> v) override {
    open_list(key);
    for (const std::string& s : v) {
      separate();
      append_string(out_, s);
    }
    close_list();
  }
  void all_numbers(Key key, std::span<const double> v) override {
    open_list(key);
    for (const double n : v) {
      separate();
      append_number(out_, n);
    }
    close_list();
  }

  void open(Key key) override {
    if (in_list_)
      separate();
    else
      name(key);
    out_ += '{';
    in_list_ = false;
    ++depth_;
  }
  void close() override {
    out_ += '}';
    in_list_ = (lists_ >> --depth_ & 1U) != 0;
  }
  void open_list(Key key) override {
    name(key);
    out_ += '[';
    in_list_ = true;
    lists_ |= 1U << depth_;
  }
  void close_list() override {
    out_ += ']';
    in_list_ = false;
    lists_ &= ~(1U << depth_);
  }

 private:
  void separate() {
    if (out_.back() != '{' && out_.back() != '[') out_ += ',';
  }
  void name(Key key) {
    separate();
    out_ += '"';
    out_.append(key.name).append("\":");
  }
  template <class Integer>
  void digits(Integer n) {
    const fmt::format_int text(n);
    out_.append(text.data(), text.size());
  }
  template <class Integer>
  void all(Key key, std::span<const Integer> v, const char* quote) {
    open_list(key);
    for (const Integer n : v) {
      separate();
      out_ += quote;
      digits(n);
      out_ += quote;
    }
    close_list();
  }
  template <class Integer>
  void quoted(Key key, Integer n) {
    name(key);
    out_ += '"';
    digits(n);
    out_ += '"';
  }

  std::string& out_;
  bool in_list_ = false;
  unsigned depth_ = 0;
  std::uint32_t lists_ = 0;  // bit i: a list is open at depth i
};

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

struct Names {
  std::string_view resources, scopes, items, rejected;
};
constexpr Names kNames[] = {{"resourceLogs", "scopeLogs", "logRecords", "rejectedLogRecords"},
                            {"resourceSpans", "scopeSpans", "spans", "rejectedSpans"},
                            {"resourceMetrics", "scopeMetrics", "metrics", "rejectedDataPoints"},
                            {"resourceProfiles", "scopeProfiles", "profiles", "rejectedProfiles"}};

class JsonEncoding final : public Encoding {
 public:
  JsonEncoding(Source source, Signal signal)
      : names_(kNames[static_cast<std::size_t>(signal)]), source_(std::move(source)) {}

  std::string_view content_type() const override { return "application/json"; }

  void append(std::string& items, const Record& record) override { append_item(items, record); }
  void append(std::string& items, const Span& span) override { append_item(items, span); }
  void append(std::string& items, const Metric& metric) override { append_item(items, metric); }
  void append(std::string& items, const Describe& item) override {
    items += items.empty() ? "{" : ",{";
    JsonWriter writer(items);
    item(writer);
    items += '}';
  }
  std::string beside(const Describe& fields) const override {
    std::string out = "{";
    JsonWriter writer(out);
    fields(writer);
    out.front() = ',';
    return out;
  }

  std::string request(std::string_view items, std::string_view beside,
                      std::span<const OwnedItems> owned) const override {
    std::string out = fmt::format(R"({{"{}":[)", names_.resources);
    if (!items.empty() || owned.empty()) block(out, {}, items);
    for (const OwnedItems& o : owned) block(out, o.owner, o.items);
    out.append("]").append(beside).append("}");
    return out;
  }

  Answer answer(std::string_view body, bool success) const override {
    const nlohmann::json parsed = nlohmann::json::parse(body, nullptr, false);
    if (!parsed.is_object()) return {};
    if (!success) return {0, text_of(parsed, "message")};
    const auto partial = parsed.find("partialSuccess");
    if (partial == parsed.end() || !partial->is_object()) return {};
    return {count_of(*partial, std::string(names_.rejected).c_str()), text_of(*partial, "errorMessage")};
  }

 private:
  template <class Item>
  static void append_item(std::string& items, const Item& item) {
    items += items.empty() ? "{" : ",{";
    JsonWriter writer(items);
    describe(writer, item);
    items += '}';
  }

  // A resource with its items.
  void block(std::string& out, std::span<const Pair> owner, std::string_view items) const {
    if (out.back() == '}') out += ',';
    out += R"({"resource":{)";
    const std::vector<Pair> resource = resource_of(source_, owner);
    std::vector<Attribute> attributes;
    for (const Pair& p : resource) attributes.push_back({p.key, std::string_view(p.value)});
    JsonWriter writer(out);
    describe_attributes(writer, {1, "attributes"}, attributes);
    out += fmt::format(R"(}},"{}":[{{"scope":{{"name":"plumb","version":)", names_.scopes);
    append_string(out, source_.version);
    out += fmt::format(R"(}},"{}":[)", names_.items);
    out.append(items).append("]}]}");
  }

  const Names& names_;
  const Source source_;
};

}  // namespace

std::unique_ptr<Encoding> make_json_encoding(const Source& source, Signal signal) {
  return std::make_unique<JsonEncoding>(source, signal);
}

}  // namespace plumb::otlp
