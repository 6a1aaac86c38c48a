// The sink of --otlp that makes spans of rows. A span has an id of its own; its parent and its trace are those that the
// request's traceparent names, or, without one, there is no parent and the trace is its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "otlp/batcher.h"
#include "otlp/telemetry.h"
#include "sink/sink.h"

namespace plumb::otlp {

struct SpanCounts {
  std::uint64_t not_sampled = 0;  // rows that are no spans, since the sampler says so
};

// Evenly distributed 64 bits.
using RandomBits = std::function<std::uint64_t()>;
// Seeded by the kernel.
RandomBits random_bits();

struct SpanChoices {
  bool by_owner = true;       // spans go under the resources of the processes that did them
  bool url_template = false;  // SpanDraft::url_template
};

// The references outlive the sink.
std::unique_ptr<Sink> make_span_sink(const Telemetry& telemetry, Sampler sampler, Batcher batcher,
                                     RandomBits random, SpanCounts& counts, SpanChoices choices = {});

}  // namespace plumb::otlp
