// The sink of --otlp that adds rows up as metrics and pushes them at an interval and at the end. Each instrument keeps a
// bounded number of series; what comes beyond is added to one with the attribute otel.metric.overflow, as the
// specification's "Cardinality limits" say, so that the counts stay right. Losses are a metric too: plumb.events.lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "otlp/batcher.h"
#include "otlp/telemetry.h"
#include "sink/sink.h"

namespace plumb::otlp {

struct MetricSettings {
  bool delta = false;
  std::int64_t interval_ns = 60'000'000'000;
  std::size_t most_series = 2000;  // of one instrument, the one of overflow included
};

// The references outlive the sink.
std::unique_ptr<Sink> make_metric_sink(const Telemetry& telemetry, MetricSettings settings, Batcher batcher,
                                       const ClockSource& clock);

}  // namespace plumb::otlp
