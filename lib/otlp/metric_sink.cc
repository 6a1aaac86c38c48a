#include "otlp/metric_sink.h"

#include <algorithm>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace plumb::otlp {
namespace {

constexpr Instrument kLost{
    .name = "plumb.events.lost", .unit = "{event}", .help = "Events that plumb knows it did not see."};

// Of each signal, as the conventions (docs/otel/sdk-metrics.md) have them.
constexpr std::string_view kExportedHelp = "Items that were exported, or with error.type were not.";
constexpr std::string_view kProcessedHelp = "Items that never reached the exporter: the queue was full.";
constexpr Instrument kExported[kSignals] = {
    {"otel.sdk.exporter.log.exported", "{log_record}", kExportedHelp},
    {"otel.sdk.exporter.span.exported", "{span}", kExportedHelp},
    {"otel.sdk.exporter.metric_data_point.exported", "{data_point}", kExportedHelp},
    {"plumb.exporter.profile.exported", "{profile}", kExportedHelp}};
constexpr Instrument kProcessed[kSignals] = {
    {"otel.sdk.processor.log.processed", "{log_record}", kProcessedHelp},
    {"otel.sdk.processor.span.processed", "{span}", kProcessedHelp},
    {"plumb.processor.metric_data_point.processed", "{data_point}", kProcessedHelp},
    {"plumb.processor.profile.processed", "{profile}", kProcessedHelp}};

// Calls one of the three with what an attribute is on a metric; other values are none.
template <class Text, class Number, class Boolean>
void visit_attribute(const Value& value, Text text, Number number, Boolean boolean) {
  if (const auto* v = std::get_if<std::string_view>(&value)) return text(*v);
  if (const auto* v = std::get_if<Name>(&value)) return text(v->text);
  if (const auto* v = std::get_if<std::uint64_t>(&value)) return number(static_cast<std::int64_t>(*v));
  if (const auto* v = std::get_if<std::int64_t>(&value)) return number(*v);
  if (const auto* v = std::get_if<bool>(&value)) return boolean(*v);
  if (const auto* v = std::get_if<IpAddress>(&value)) {
    char buffer[IpAddress::kMaxText];
    text(std::string_view(buffer, v->format(buffer)));
  }
}

OwnedAttribute owned(const Attribute& attribute) {
  OwnedAttribute out{.key = std::string(attribute.key)};
  const auto number = [&](std::int64_t v, OwnedAttribute::Kind kind) {
    out.number = v;
    out.kind = kind;
  };
  visit_attribute(
      attribute.value, [&](std::string_view v) { out.text = v; },
      [&](std::int64_t v) { number(v, OwnedAttribute::Kind::number); },
      [&](bool v) { number(v ? 1 : 0, OwnedAttribute::Kind::boolean); });
  return out;
}

// What tells series apart: of each attribute the key, the kind, and the value with its length in front.
void append_identity(std::string& out, const Attribute& a) {
  const auto bytes = [&](char kind, const void* data, std::size_t size) {
    out.append(a.key).append(1, '\0').append(1, kind);
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out.append(static_cast<const char*>(data), size);
  };
  visit_attribute(
      a.value, [&](std::string_view v) { bytes('t', v.data(), v.size()); },
      [&](std::int64_t v) { bytes('n', &v, sizeof v); }, [&](bool v) { bytes('b', &v, sizeof v); });
}

class Series {
 public:
  Series(const Instrument& instrument, std::size_t most) : instrument_(&instrument), most_(most) {}

  void add(double value, std::span<const Attribute> attributes, UnixTime start) {
    Point& p = find(attributes, start);
    if (p.count == 0 || value < p.least) p.least = value;
    if (p.count == 0 || value > p.most) p.most = value;
    p.sum += value;
    ++p.count;
    if (!instrument_->is_histogram()) return;
    const auto bound = std::lower_bound(instrument_->bounds.begin(), instrument_->bounds.end(), value);
    ++p.buckets[static_cast<std::size_t>(bound - instrument_->bounds.begin())];
  }

  const Instrument& instrument() const { return *instrument_; }
  bool empty() const { return points_.empty(); }
  std::vector<const Point*> points() const {
    std::vector<const Point*> out;
    for (const Point& p : points_) out.push_back(&p);
    return out;
  }
  void clear() {
    by_identity_.clear();
    points_.clear();
  }

 private:
  Point& find(std::span<const Attribute> attributes, UnixTime start) {
    identity_.clear();
    for (const Attribute& a : attributes) append_identity(identity_, a);
    if (const auto found = by_identity_.find(identity_); found != by_identity_.end()) return *found->second;
    const Attribute overflow[] = {{"otel.metric.overflow", true}};
    if (by_identity_.size() + 1 >= most_) {
      attributes = overflow;
      identity_ = kOverflow;
      if (const auto found = by_identity_.find(identity_); found != by_identity_.end()) return *found->second;
    }
    Point& p = points_.emplace_back(Point{.start = start});
    for (const Attribute& a : attributes) p.attributes.push_back(owned(a));
    if (instrument_->is_histogram()) p.buckets.assign(instrument_->bounds.size() + 1, 0);
    return *by_identity_.emplace(identity_, &p).first->second;
  }

  static constexpr std::string_view kOverflow = "overflow";  // no attribute's identity: those hold zeros

  const Instrument* instrument_;
  std::size_t most_;
  std::deque<Point> points_;
  std::unordered_map<std::string, Point*> by_identity_;
  std::string identity_;
};

class MetricSink final : public Sink, private Measures {
 public:
  MetricSink(const Telemetry& telemetry, MetricSettings settings, Batcher batcher, const ClockSource& clock)
      : telemetry_(&telemetry),
        settings_(std::move(settings)),
        batcher_(std::move(batcher)),
        clock_(&clock),
        start_(clock.real()),
        pushed_ns_(now_ns()) {
    for (const Instrument& i : telemetry.instruments) series_.emplace_back(i, settings_.most_series);
    series_.emplace_back(kLost, settings_.most_series);
    lost_ = series_.size() - 1;
    for (const PushedItems& items : settings_.pushed) {
      series_.emplace_back(kExported[static_cast<std::size_t>(items.signal)], settings_.most_series);
      series_.emplace_back(kProcessed[static_cast<std::size_t>(items.signal)], settings_.most_series);
      counted_.emplace_back();
    }
  }

  Result<void> row(const Row& row) override { return telemetry_->measure(row, *this), Result<void>{}; }

  Result<void> lost(const Loss& loss) override {
    const Attribute why[] = {{"plumb.reason", loss.why}};
    series_[lost_].add(static_cast<double>(loss.count), why, start_);
    return {};
  }

  Result<void> flush() override {
    if (now_ns() - pushed_ns_ >= settings_.interval_ns) push();
    return {};
  }
  Result<void> end() override { return push(), Result<void>{}; }

 private:
  void add(std::size_t instrument, double value, std::span<const Attribute> attributes) override {
    series_[instrument].add(value, attributes, start_);
  }

  std::int64_t now_ns() const { return static_cast<std::int64_t>(clock_->boot().ns); }

  // What was pushed since the last time, up to here.
  void count_pushed() {
    for (std::size_t i = 0; i < settings_.pushed.size(); ++i) {
      const PushedCounts now = settings_.pushed[i].counts();
      const auto add = [&](std::size_t series, std::uint64_t grown, std::string_view error) {
        if (grown == 0) return;
        AttributeSet attributes;
        attributes.text("otel.component.type", "otlp_http_exporter");
        attributes.text("error.type", error);
        series_[lost_ + 1 + 2 * i + series].add(static_cast<double>(grown), attributes, start_);
      };
      add(0, now.delivered - counted_[i].delivered, {});
      add(0, now.refused - counted_[i].refused, "rejected");
      add(1, now.queue_full - counted_[i].queue_full, "queue_full");
      counted_[i] = now;
    }
  }

  void push() {
    pushed_ns_ = now_ns();
    count_pushed();
    const UnixTime now = std::max(clock_->real(), start_);  // the clock may have been set back
    for (Series& s : series_) {
      if (s.empty()) continue;
      const std::vector<const Point*> points = s.points();
      batcher_.add(Metric{.instrument = &s.instrument(),
                          .temporality = settings_.delta ? Temporality::delta : Temporality::cumulative,
                          .time = now,
                          .points = points},
                   points.size());
      if (settings_.delta) s.clear();
    }
    batcher_.end();
    if (settings_.delta) start_ = now;
  }

  const Telemetry* telemetry_;
  MetricSettings settings_;
  Batcher batcher_;
  const ClockSource* clock_;
  UnixTime start_;  // of every series that is kept
  std::int64_t pushed_ns_;
  std::deque<Series>
      series_;            // of the tool's instruments, of the losses, then two of each signal that is pushed
  std::size_t lost_ = 0;  // in them
  std::vector<PushedCounts> counted_;
};

}  // namespace

Attribute OwnedAttribute::view() const {
  switch (kind) {
    case Kind::number:
      return {key, number};
    case Kind::boolean:
      return {key, number != 0};
    case Kind::text:
      break;
  }
  return {key, std::string_view(text)};
}

std::unique_ptr<Sink> make_metric_sink(const Telemetry& telemetry, MetricSettings settings, Batcher batcher,
                                       const ClockSource& clock) {
  return std::make_unique<MetricSink>(telemetry, std::move(settings), std::move(batcher), clock);
}

}  // namespace plumb::otlp
