// What a tool's rows are beside log records, by the semantic conventions: the tool says it, and no sink knows which tool
// that is.
#pragma once

#include <cstddef>
#include <span>

#include "event/field.h"
#include "otlp/metric.h"
#include "otlp/span.h"

namespace plumb::otlp {

// Where a tool's measurements go.
class Measures {
 public:
  virtual ~Measures() = default;
  // Adds to Telemetry::instruments[instrument]: a value of a histogram, or so many to a sum.
  virtual void add(std::size_t instrument, double value, std::span<const Attribute> attributes) = 0;
};

struct Telemetry {
  // Fills the span of a row; false: the row is none. nullptr: no row is.
  bool (*span)(const Row& row, SpanDraft& span) = nullptr;
  std::span<const Instrument> instruments = {};
  void (*measure)(const Row& row, Measures& out) = nullptr;  // with instruments
};

}  // namespace plumb::otlp
