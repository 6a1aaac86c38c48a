#include "otlp/log_sink.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "event/trouble.h"
#include "otlp/telemetry.h"

namespace plumb::otlp {
namespace {

class OtlpSink final : public Sink {
 public:
  OtlpSink(const Schema& schema, const std::string& tool, Encoding& encoding, Queue& queue,
           const ClockSource& clock, BatchLimits limits)
      : schema_(&schema), clock_(&clock), batcher_(encoding, queue, clock, limits) {
    for (std::size_t i = 0; i < schema.size(); ++i) {
      const FieldSpec& spec = schema.spec(i);
      if (spec.key == "time" && spec.type == FieldType::time) time_field_ = i;
      names_.push_back(attribute_name(spec));
    }
    for (const std::string_view type : schema.types())
      event_names_.push_back("plumb." + tool + "." + std::string(type));
  }

  Result<void> row(const Row& row) override {
    Record record;
    attributes_.clear();
    for (std::size_t i = 0; i < schema_->size(); ++i) {
      if (!row.carries(i)) continue;
      const Value value = row.get(i);
      if (std::holds_alternative<None>(value)) continue;
      if (i == time_field_) {
        if (const UnixTime* time = std::get_if<UnixTime>(&value)) record.time = *time;
        continue;
      }
      if (is_warned_of(schema_->spec(i), value)) record.severity = Severity::warn;
      attributes_.push_back({names_[i], value});
    }
    record.event_name = event_names_[row.type()];
    append(record);
    return {};
  }

  Result<void> lost(const Loss& loss) override {
    attributes_.assign({{"plumb.type", Name{"lost"}}, {"plumb.count", loss.count}});
    append({.time = loss.time, .severity = Severity::warn, .event_name = "plumb.lost", .body = loss.why});
    return {};
  }

  Result<void> flush() override { return batcher_.flush(), Result<void>{}; }
  Result<void> end() override { return batcher_.end(), Result<void>{}; }

 private:
  static bool is_warned_of(const FieldSpec& spec, const Value& value) {
    const Name* name = std::get_if<Name>(&value);
    return means_trouble(spec, value) ||
           (name != nullptr && std::ranges::find(spec.warnings, name->text) != spec.warnings.end());
  }

  void append(Record record) {
    record.observed = clock_->real();
    record.attributes = attributes_;
    batcher_.add(record);
  }

  const Schema* schema_;
  const ClockSource* clock_;
  Batcher batcher_;
  std::size_t time_field_ = Schema::npos;
  std::vector<std::string> names_;        // of attributes, by field
  std::vector<std::string> event_names_;  // by type of line
  std::vector<Attribute> attributes_;
};

}  // namespace

std::string attribute_name(const FieldSpec& spec) {
  return spec.otlp.empty() ? "plumb." + std::string(spec.key) : std::string(spec.otlp);
}

void add_fields(const Row& row, std::span<const std::string_view> except, SpanDraft& span) {
  for (std::size_t i = 0; i < row.schema().size(); ++i) {
    const FieldSpec& spec = row.schema().spec(i);
    if (!row.carries(i) || std::ranges::find(except, spec.key) != except.end()) continue;
    const Value value = row.get(i);
    if (std::holds_alternative<None>(value)) continue;
    // A name of the table stays where it is; one that is made is kept.
    span.attributes.push_back({spec.otlp.empty() ? span.keep(attribute_name(spec)) : spec.otlp, value});
  }
}

std::unique_ptr<Sink> make_sink(const Schema& schema, const std::string& tool, Encoding& encoding,
                                Queue& queue, const ClockSource& clock, BatchLimits limits) {
  return std::make_unique<OtlpSink>(schema, tool, encoding, queue, clock, limits);
}

}  // namespace plumb::otlp
