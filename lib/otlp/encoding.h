// Log records, spans and metrics as OTLP has them on the wire (opentelemetry/proto/collector/SIGNAL/v1). Pure.
//
// A request is one resource, one scope and its items. Items are encoded one by one, as they come, each appended to those
// before; request() puts the constant rest around them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "event/value.h"
#include "otlp/config.h"
#include "otlp/message.h"
#include "otlp/metric.h"
#include "otlp/queue.h"
#include "otlp/span.h"

namespace plumb::otlp {

enum class Severity : std::uint8_t { info = 9, warn = 13 };  // SeverityNumber

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

// Its resource with the attributes of an owner: those of the same name are replaced, and its version is nobody else's.
std::vector<Pair> resource_of(const Source& source, std::span<const Pair> owner);

// What a collector's answer says beside its status.
struct Answer {
  std::uint64_t rejected = 0;  // items that it did not take (partial success)
  std::string message;         // as it came: hostile bytes
};

// Writes the fields of a message.
using Describe = std::function<void(MessageWriter&)>;

class Encoding {
 public:
  virtual ~Encoding() = default;
  virtual std::string_view content_type() const = 0;
  // Appends one item of the encoding's signal to those of `items`. Text that is not UTF-8 gets U+FFFD in its place.
  virtual void append(std::string& items, const Record& record) = 0;
  virtual void append(std::string& items, const Span& span) = 0;
  virtual void append(std::string& items, const Metric& metric) = 0;
  virtual void append(std::string& items, const Describe& item) = 0;
  // Fields of the request beside those of the resource.
  virtual std::string beside(const Describe& fields) const = 0;
  // The body of a request. `beside` is beside()'s, or empty; `owned` are items of other resources.
  virtual std::string request(std::string_view items, std::string_view beside = {},
                              std::span<const OwnedItems> owned = {}) const = 0;
  // The body of an answer: Export...ServiceResponse with a 2xx status, google.rpc.Status with others. Bytes
  // that are neither give an empty Answer.
  virtual Answer answer(std::string_view body, bool success) const = 0;
};

std::unique_ptr<Encoding> make_protobuf_encoding(const Source& source, Signal signal = Signal::logs);
std::unique_ptr<Encoding> make_json_encoding(const Source& source, Signal signal = Signal::logs);

// Durations are milliseconds.
inline double milliseconds(Duration d) {
  return static_cast<double>(d.ns) / 1e6;
}

}  // namespace plumb::otlp
