// Log records as OTLP has them on the wire (opentelemetry/proto/collector/logs/v1/logs_service.proto). Pure.
//
// A request is one resource, one scope and its records. Records are encoded one by one, as they come, each
// appended to those before; request() puts the constant rest around them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "event/value.h"
#include "otlp/config.h"

namespace plumb::otlp {

enum class Severity : std::uint8_t { info = 9, warn = 13 };  // SeverityNumber

struct Attribute {
  std::string_view key;
  Value value;  // not None
};

struct Record {
  UnixTime time;  // 0: not known
  UnixTime observed;
  Severity severity = Severity::info;
  std::string_view event_name;
  std::string_view body;  // empty: none
  std::span<const Attribute> attributes;
};

// Who speaks: attributes of the resource, and the version of the scope "plumb".
struct Source {
  std::vector<Pair> resource;
  std::string version;
};

// What a collector's answer says beside its status.
struct Answer {
  std::uint64_t rejected = 0;  // records that it did not take (partial success)
  std::string message;         // as it came: hostile bytes
};

class Encoding {
 public:
  virtual ~Encoding() = default;
  virtual std::string_view content_type() const = 0;
  // Appends one record to those of `records`. Text that is not UTF-8 gets U+FFFD in its place.
  virtual void append(std::string& records, const Record& record) = 0;
  // The body of a request.
  virtual std::string request(std::string_view records) const = 0;
  // The body of an answer: ExportLogsServiceResponse with a 2xx status, google.rpc.Status with others. Bytes
  // that are neither give an empty Answer.
  virtual Answer answer(std::string_view body, bool success) const = 0;
};

std::unique_ptr<Encoding> make_protobuf_encoding(const Source& source);
std::unique_ptr<Encoding> make_json_encoding(const Source& source);

// Integers beyond int64 are text, as OpenTelemetry maps them; durations are milliseconds.
inline double milliseconds(Duration d) {
  return static_cast<double>(d.ns) / 1e6;
}

}  // namespace plumb::otlp
