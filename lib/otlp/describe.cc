#include "otlp/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sink/time_text.h"

namespace plumb::otlp {
namespace {

constexpr Key kItems{1, "values"};  // of ArrayValue

// AnyValue. Integers beyond int64 are text, as OpenTelemetry maps them.
struct ValueWriter {
  MessageWriter& out;

  void operator()(None) const {}
  void operator()(bool v) const { out.boolean({2, "boolValue"}, v); }
  void operator()(std::int64_t v) const { out.integer({3, "intValue"}, v); }
  void operator()(std::uint64_t v) const {
    if (v <= std::numeric_limits<std::int64_t>::max()) return (*this)(static_cast<std::int64_t>(v));
    const fmt::format_int digits(v);
    (*this)(std::string_view(digits.data(), digits.size()));
  }
  void operator()(double v) const { out.number({4, "doubleValue"}, v); }
  void operator()(std::string_view v) const { out.text({1, "stringValue"}, v); }
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
    const Within array(out, {5, "arrayValue"});
    out.open_list(kItems);
    for (const std::string_view item : v) {
      const Within element(out, kItems);
      (*this)(item);
    }
    out.close_list();
  }
};

void describe_attribute(MessageWriter& out, Key list, const Attribute& attribute) {
  const Within pair(out, list);
  out.text({1, "key"}, attribute.key);
  const Within value(out, {2, "value"});
  std::visit(ValueWriter{out}, attribute.value);
}

std::uint64_t nanoseconds(UnixTime t) {
  return t.ns > 0 ? static_cast<std::uint64_t>(t.ns) : 0;
}

constexpr Key kPoints{1, "dataPoints"};

void describe_histogram(MessageWriter& out, const Metric& metric) {
  const Within histogram(out, {9, "histogram"});
  out.open_list(kPoints);
  for (const Point* p : metric.points) {
    const Within point(out, kPoints);
    out.open_list({9, "attributes"});
    for (const OwnedAttribute& a : p->attributes) describe_attribute(out, {9, "attributes"}, a.view());
    out.close_list();
    out.fixed64({2, "startTimeUnixNano"}, nanoseconds(p->start));
    out.fixed64({3, "timeUnixNano"}, nanoseconds(metric.time));
    out.fixed64({4, "count"}, p->count);
    out.number({5, "sum"}, p->sum);
    out.all_fixed64({6, "bucketCounts"}, p->buckets);
    out.all_numbers({7, "explicitBounds"}, metric.instrument->bounds);
    out.number({11, "min"}, p->least);
    out.number({12, "max"}, p->most);
  }
  out.close_list();
  out.small({2, "aggregationTemporality"}, static_cast<std::uint32_t>(metric.temporality));
}

void describe_sum(MessageWriter& out, const Metric& metric) {
  const Within sum(out, {7, "sum"});
  out.open_list(kPoints);
  for (const Point* p : metric.points) {
    const Within point(out, kPoints);
    out.open_list({7, "attributes"});
    for (const OwnedAttribute& a : p->attributes) describe_attribute(out, {7, "attributes"}, a.view());
    out.close_list();
    out.fixed64({2, "startTimeUnixNano"}, nanoseconds(p->start));
    out.fixed64({3, "timeUnixNano"}, nanoseconds(metric.time));
    out.signed_fixed64({6, "asInt"}, static_cast<std::int64_t>(p->sum));
  }
  out.close_list();
  out.small({2, "aggregationTemporality"}, static_cast<std::uint32_t>(metric.temporality));
  out.boolean({3, "isMonotonic"}, true);
}

}  // namespace

std::vector<Pair> resource_of(const Source& source, std::span<const Pair> owner) {
  std::vector<Pair> out(owner.begin(), owner.end());
  const auto taken = [&](const Pair& p) {
    return (!owner.empty() && p.key == "service.version") ||
           std::any_of(owner.begin(), owner.end(), [&](const Pair& o) { return o.key == p.key; });
  };
  for (const Pair& p : source.resource) {
    if (!taken(p)) out.push_back(p);
  }
  return out;
}

void describe_attributes(MessageWriter& out, Key list, std::span<const Attribute> attributes) {
  out.open_list(list);
  for (const Attribute& a : attributes) describe_attribute(out, list, a);
  out.close_list();
}

void describe(MessageWriter& out, const Record& r) {
  if (r.time.ns > 0) out.fixed64({1, "timeUnixNano"}, nanoseconds(r.time));
  out.fixed64({11, "observedTimeUnixNano"}, static_cast<std::uint64_t>(r.observed.ns));
  out.small({2, "severityNumber"}, static_cast<std::uint32_t>(r.severity));
  out.text({3, "severityText"}, r.severity == Severity::warn ? "WARN" : "INFO");
  out.text({12, "eventName"}, r.event_name);
  if (!r.body.empty()) {
    const Within body(out, {5, "body"});
    ValueWriter{out}(r.body);
  }
  describe_attributes(out, {6, "attributes"}, r.attributes);
}

void describe(MessageWriter& out, const Span& s) {
  out.identity({1, "traceId"}, s.trace_id);
  out.identity({2, "spanId"}, s.span_id);
  if (s.parent_id != SpanId{}) out.identity({4, "parentSpanId"}, s.parent_id);
  out.fixed32({16, "flags"}, s.flags);
  out.text({5, "name"}, s.name);
  out.small({6, "kind"}, static_cast<std::uint32_t>(s.kind));
  out.fixed64({7, "startTimeUnixNano"}, nanoseconds(s.start));
  out.fixed64({8, "endTimeUnixNano"}, nanoseconds(s.end));
  describe_attributes(out, {9, "attributes"}, s.attributes);
  if (s.failed) {
    const Within status(out, {15, "status"});
    out.small({3, "code"}, 2);  // STATUS_CODE_ERROR
  }
}

void describe(MessageWriter& out, const Metric& m) {
  out.text({1, "name"}, m.instrument->name);
  out.text({2, "description"}, m.instrument->help);
  out.text({3, "unit"}, m.instrument->unit);
  if (m.instrument->is_histogram())
    describe_histogram(out, m);
  else
    describe_sum(out, m);
}

}  // namespace plumb::otlp
