// Metrics: what a tool's instruments are, what a row adds to them, and the points that go over the wire.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "otlp/span.h"

namespace plumb::otlp {

// One metric. A histogram has bounds; without it is a monotonic sum.
struct Instrument {
  std::string_view name;
  std::string_view unit;
  std::string_view help;
  std::span<const double> bounds = {};  // upper, inclusive, ascending
  bool is_histogram() const { return !bounds.empty(); }
};

enum class Temporality : std::uint8_t { delta = 1, cumulative = 2 };  // AggregationTemporality

struct OwnedAttribute {
  std::string key;
  std::string text;  // unless it is a number
  std::int64_t number = 0;
  enum class Kind : std::uint8_t { text, number, boolean } kind = Kind::text;
  Attribute view() const;
};

struct Point {
  std::vector<OwnedAttribute> attributes;
  UnixTime start;
  double sum = 0;
  double least = 0;
  double most = 0;
  std::uint64_t count = 0;
  std::vector<std::uint64_t> buckets;  // one more than there are bounds
};

struct Metric {
  const Instrument* instrument = nullptr;
  Temporality temporality = Temporality::cumulative;
  UnixTime time;
  std::span<const Point* const> points;
};

}  // namespace plumb::otlp
