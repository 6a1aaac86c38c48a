// The sink of --otlp that adds rows up as metrics and pushes them at an interval and at the end. Each instrument keeps a
// bounded number of series; what comes beyond is added to one with the attribute otel.metric.overflow, as the
// specification's "Cardinality limits" say, so that the counts stay right. Losses are a metric too, plumb.events.lost, and
// so is what became of all that --otlp pushed: otel.sdk.exporter.*.exported and otel.sdk.processor.*.processed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "otlp/batcher.h"
#include "otlp/telemetry.h"
#include "sink/sink.h"

namespace plumb::otlp {

// What became of the items of one signal so far.
struct PushedCounts {
  std::uint64_t delivered = 0;
  std::uint64_t refused = 0;
  std::uint64_t queue_full = 0;
};
struct PushedItems {
  Signal signal = Signal::logs;
  std::function<PushedCounts()> counts;
};

struct MetricSettings {
  bool delta = false;
  std::int64_t interval_ns = 60'000'000'000;
  std::vector<PushedItems> pushed = {};
  std::size_t most_series = 2000;  // of one instrument, the one of overflow included
};

// The references outlive the sink.
std::unique_ptr<Sink> make_metric_sink(const Telemetry& telemetry, MetricSettings settings, Batcher batcher,
                                       const ClockSource& clock);

}  // namespace plumb::otlp
