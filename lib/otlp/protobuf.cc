// The protobuf encoding. Field numbers are those of
// opentelemetry/proto/{common,resource,logs,collector/logs}/v1, version 1.5.
#include <fmt/format.h>

#include <limits>
#include <protozero/pbf_builder.hpp>
#include <protozero/pbf_message.hpp>

#include "base/utf8.h"
#include "otlp/encoding.h"
#include "sink/time_text.h"

namespace plumb::otlp {
namespace {

using protozero::pbf_builder;

enum class RequestTag : protozero::pbf_tag_type { resource_logs = 1 };
enum class ResourceLogsTag : protozero::pbf_tag_type { resource = 1, scope_logs = 2 };
enum class ResourceTag : protozero::pbf_tag_type { attributes = 1 };
enum class ScopeLogsTag : protozero::pbf_tag_type { scope = 1, log_records = 2 };
enum class ScopeTag : protozero::pbf_tag_type { name = 1, version = 2 };
enum class RecordTag : protozero::pbf_tag_type {
  time_unix_nano = 1,
  severity_number = 2,
  severity_text = 3,
  body = 5,
  attributes = 6,
  observed_time_unix_nano = 11,
  event_name = 12
};
enum class KeyValueTag : protozero::pbf_tag_type { key = 1, value = 2 };
enum class AnyValueTag : protozero::pbf_tag_type {
  string_value = 1,
  bool_value = 2,
  int_value = 3,
  double_value = 4,
  array_value = 5
};
enum class ArrayValueTag : protozero::pbf_tag_type { values = 1 };
enum class ResponseTag : protozero::pbf_tag_type { partial_success = 1 };
enum class PartialSuccessTag : protozero::pbf_tag_type { rejected_log_records = 1, error_message = 2 };
enum class StatusTag : protozero::pbf_tag_type { message = 2 };  // google/rpc/status.proto

struct ValueWriter {
  pbf_builder<AnyValueTag>& out;
  std::string& scratch;

  void operator()(None) const {}
  void operator()(bool v) const { out.add_bool(AnyValueTag::bool_value, v); }
  void operator()(std::int64_t v) const { out.add_int64(AnyValueTag::int_value, v); }
  void operator()(std::uint64_t v) const {
    if (v <= std::numeric_limits<std::int64_t>::max()) return (*this)(static_cast<std::int64_t>(v));
    const fmt::format_int digits(v);
    out.add_string(AnyValueTag::string_value, digits.data(), digits.size());
  }
  void operator()(double v) const { out.add_double(AnyValueTag::double_value, v); }
  void operator()(std::string_view v) const {
    const std::string_view text = valid_utf8(v, scratch);
    out.add_string(AnyValueTag::string_value, text.data(), text.size());
  }
  void operator()(Name v) const { out.add_string(AnyValueTag::string_value, v.text.data(), v.text.size()); }
  void operator()(const IpAddress& v) const {
    char text[IpAddress::kMaxText];
    out.add_string(AnyValueTag::string_value, text, v.format(text));
  }
  void operator()(UnixTime v) const {
    char text[kRfc3339Size];
    write_rfc3339(text, v);
    out.add_string(AnyValueTag::string_value, text, sizeof text);
  }
  void operator()(Duration v) const { out.add_double(AnyValueTag::double_value, milliseconds(v)); }
  void operator()(TextList v) const {
    if (v.empty()) return out.add_message(AnyValueTag::array_value, "", 0);  // a builder would leave it out
    pbf_builder<ArrayValueTag> array(out, AnyValueTag::array_value);
    for (const std::string_view item : v) {
      pbf_builder<AnyValueTag> element(array, ArrayValueTag::values);
      ValueWriter{element, scratch}(item);
    }
  }
};

template <class Parent, class Tag>
void add_attribute(Parent& parent, Tag tag, std::string_view key, const Value& value, std::string& scratch) {
  pbf_builder<KeyValueTag> pair(parent, tag);
  pair.add_string(KeyValueTag::key, key.data(), key.size());
  pbf_builder<AnyValueTag> any(pair, KeyValueTag::value);
  std::visit(ValueWriter{any, scratch}, value);
}

class ProtobufEncoding final : public Encoding {
 public:
  explicit ProtobufEncoding(const Source& source) {
    {
      std::string resource;
      pbf_builder<ResourceTag> writer(resource);
      for (const Pair& p : source.resource) {
        std::string key;
        add_attribute(writer, ResourceTag::attributes, valid_utf8(p.key, key), std::string_view(p.value),
                      scratch_);
      }
      pbf_builder<ResourceLogsTag>(resource_).add_message(ResourceLogsTag::resource, resource);
    }
    pbf_builder<ScopeLogsTag> writer(scope_);
    pbf_builder<ScopeTag> scope(writer, ScopeLogsTag::scope);
    scope.add_string(ScopeTag::name, "plumb");
    scope.add_string(ScopeTag::version, source.version);
  }

  std::string_view content_type() const override { return "application/x-protobuf"; }

  void append(std::string& records, const Record& r) override {
    pbf_builder<ScopeLogsTag> scope(records);
    pbf_builder<RecordTag> out(scope, ScopeLogsTag::log_records);
    if (r.time.ns > 0) out.add_fixed64(RecordTag::time_unix_nano, static_cast<std::uint64_t>(r.time.ns));
    out.add_enum(RecordTag::severity_number, static_cast<std::int32_t>(r.severity));
    out.add_string(RecordTag::severity_text, r.severity == Severity::warn ? "WARN" : "INFO");
    if (!r.body.empty()) {
      pbf_builder<AnyValueTag> body(out, RecordTag::body);
      ValueWriter{body, scratch_}(r.body);
    }
    for (const Attribute& a : r.attributes)
      add_attribute(out, RecordTag::attributes, a.key, a.value, scratch_);
    out.add_fixed64(RecordTag::observed_time_unix_nano, static_cast<std::uint64_t>(r.observed.ns));
    out.add_string(RecordTag::event_name, r.event_name.data(), r.event_name.size());
  }

  std::string request(std::string_view records) const override {
    std::string scope_logs = scope_;
    scope_logs += records;
    std::string resource_logs = resource_;
    pbf_builder<ResourceLogsTag>(resource_logs).add_message(ResourceLogsTag::scope_logs, scope_logs);
    std::string out;
    pbf_builder<RequestTag>(out).add_message(RequestTag::resource_logs, resource_logs);
    return out;
  }

  Answer answer(std::string_view body, bool success) const override {
    try {
      return success ? partial_success(body) : status(body);
    } catch (const protozero::exception&) {
      return {};
    }
  }

 private:
  static Answer partial_success(std::string_view body) {
    Answer out;
    protozero::pbf_message<ResponseTag> response(body.data(), body.size());
    while (response.next(ResponseTag::partial_success, protozero::pbf_wire_type::length_delimited)) {
      protozero::pbf_message<PartialSuccessTag> partial = response.get_message();
      while (partial.next()) {
        switch (partial.tag_and_type()) {
          case tag_and_type(PartialSuccessTag::rejected_log_records, protozero::pbf_wire_type::varint): {
            const std::int64_t n = partial.get_int64();
            out.rejected = n > 0 ? static_cast<std::uint64_t>(n) : 0;
            break;
          }
          case tag_and_type(PartialSuccessTag::error_message, protozero::pbf_wire_type::length_delimited):
            out.message = std::string(partial.get_view());
            break;
          default:
            partial.skip();
        }
      }
    }
    return out;
  }

  static Answer status(std::string_view body) {
    Answer out;
    protozero::pbf_message<StatusTag> status(body.data(), body.size());
    while (status.next(StatusTag::message, protozero::pbf_wire_type::length_delimited))
      out.message = std::string(status.get_view());
    return out;
  }

  std::string resource_;  // ResourceLogs.resource
  std::string scope_;     // ScopeLogs.scope
  std::string scratch_;
};

}  // namespace

std::unique_ptr<Encoding> make_protobuf_encoding(const Source& source) {
  return std::make_unique<ProtobufEncoding>(source);
}

}  // namespace plumb::otlp
