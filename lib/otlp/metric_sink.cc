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

OwnedAttribute owned(const Attribute& attribute) {
  OwnedAttribute out{.key = std::string(attribute.key)};
  const auto text = [&](std::string_view v) { out.text = v; };
  const auto number = [&](std::int64_t v) {
    out.number = v;
    out.kind = OwnedAttribute::Kind::number;
  };
  if (const auto* v = std::get_if<std::string_view>(&attribute.value)) text(*v);
  if (const auto* v = std::get_if<Name>(&attribute.value)) text(v->text);
  if (const auto* v = std::get_if<std::uint64_t>(&attribute.value)) number(static_cast<std::int64_t>(*v));
  if (const auto* v = std::get_if<std::int64_t>(&attribute.value)) number(*v);
  if (const auto* v = std::get_if<IpAddress>(&attribute.value)) {
    char buffer[IpAddress::kMaxText];
    text({buffer, v->format(buffer)});
  }
  if (const auto* v = std::get_if<bool>(&attribute.value)) {
    out.number = *v ? 1 : 0;
    out.kind = OwnedAttribute::Kind::boolean;
  }
  return out;
}

// What tells series apart.
void append_identity(std::string& out, const OwnedAttribute& a) {
  out.append(a.key).append(1, '\0').append(1, static_cast<char>(a.kind));
  out.append(a.text).append(1, '\0').append(std::to_string(a.number)).append(1, '\0');
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
    std::vector<OwnedAttribute> own;
    identity_.clear();
    for (const Attribute& a : attributes) append_identity(identity_, own.emplace_back(owned(a)));
    if (const auto found = by_identity_.find(identity_); found != by_identity_.end()) return *found->second;
    if (by_identity_.size() + 1 >= most_ && identity_ != kOverflow) {
      const Attribute overflow[] = {{"otel.metric.overflow", true}};
      own.assign(1, owned(overflow[0]));
      identity_ = kOverflow;
      if (const auto found = by_identity_.find(identity_); found != by_identity_.end()) return *found->second;
    }
    Point& p = points_.emplace_back(Point{.attributes = std::move(own), .start = start});
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
        settings_(settings),
        batcher_(std::move(batcher)),
        clock_(&clock),
        start_(clock.real()),
        pushed_ns_(now_ns()) {
    for (const Instrument& i : telemetry.instruments) series_.emplace_back(i, settings.most_series);
    series_.emplace_back(kLost, settings.most_series);
  }

  Result<void> row(const Row& row) override { return telemetry_->measure(row, *this), Result<void>{}; }

  Result<void> lost(const Loss& loss) override {
    const Attribute why[] = {{"plumb.reason", loss.why}};
    series_.back().add(static_cast<double>(loss.count), why, start_);
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

  void push() {
    pushed_ns_ = now_ns();
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
  std::deque<Series> series_;  // of the tool's instruments, then of the losses
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
  return std::make_unique<MetricSink>(telemetry, settings, std::move(batcher), clock);
}

}  // namespace plumb::otlp
