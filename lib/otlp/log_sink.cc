#include "otlp/log_sink.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace plumb::otlp {
namespace {

class OtlpSink final : public Sink {
 public:
  OtlpSink(const Schema& schema, const std::string& tool, Encoding& encoding, Queue& queue,
           const ClockSource& clock, BatchLimits limits)
      : schema_(&schema), encoding_(&encoding), queue_(&queue), clock_(&clock), limits_(limits) {
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
      if (means_trouble(schema_->spec(i), value)) record.severity = Severity::warn;
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

  Result<void> flush() override {
    if (batch_.count != 0 && now_ns() - opened_ns_ >= limits_.delay_ns) hand_over();
    return {};
  }

  Result<void> end() override {
    if (batch_.count != 0) hand_over();
    return {};
  }

 private:
  static bool means_trouble(const FieldSpec& spec, const Value& value) {
    if (spec.alerts.empty() && spec.warnings.empty()) return false;
    const Name* name = std::get_if<Name>(&value);
    const auto names = [name](std::span<const std::string_view> values) {
      return std::find(values.begin(), values.end(), name->text) != values.end();
    };
    return name != nullptr && (names(spec.alerts) || names(spec.warnings));
  }

  std::int64_t now_ns() const { return static_cast<std::int64_t>(clock_->boot().ns); }

  void append(Record record) {
    if (batch_.count == 0) opened_ns_ = now_ns();
    record.observed = clock_->real();
    record.attributes = attributes_;
    encoding_->append(batch_.records, record);
    ++batch_.count;
    if (batch_.count >= limits_.records || batch_.records.size() >= limits_.bytes) hand_over();
  }

  void hand_over() {
    const std::size_t usual = batch_.records.size();
    queue_->offer(std::exchange(batch_, {}));
    batch_.records.reserve(usual);
  }

  const Schema* schema_;
  Encoding* encoding_;
  Queue* queue_;
  const ClockSource* clock_;
  BatchLimits limits_;
  std::size_t time_field_ = Schema::npos;
  std::vector<std::string> names_;        // of attributes, by field
  std::vector<std::string> event_names_;  // by type of line
  std::vector<Attribute> attributes_;
  Batch batch_;
  std::int64_t opened_ns_ = 0;
};

}  // namespace

std::string attribute_name(const FieldSpec& spec) {
  return spec.otlp.empty() ? "plumb." + std::string(spec.key) : std::string(spec.otlp);
}

std::unique_ptr<Sink> make_sink(const Schema& schema, const std::string& tool, Encoding& encoding,
                                Queue& queue, const ClockSource& clock, BatchLimits limits) {
  return std::make_unique<OtlpSink>(schema, tool, encoding, queue, clock, limits);
}

}  // namespace plumb::otlp
