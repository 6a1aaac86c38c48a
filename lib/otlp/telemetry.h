// What a tool's rows are beside log records, by the semantic conventions: the tool says it, and no sink knows which tool
// that is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

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

// A few attributes in place; what is not known is none.
class AttributeSet {
 public:
  void add(std::string_view key, const Value& value) {
    if (size_ != list_.size() && !std::holds_alternative<None>(value)) list_[size_++] = {key, value};
  }
  void text(std::string_view key, std::string_view value) {
    if (!value.empty()) add(key, value);
  }
  void number(std::string_view key, std::uint64_t value) {
    if (value != 0) add(key, value);
  }
  operator std::span<const Attribute>() const { return {list_.data(), size_}; }

 private:
  std::array<Attribute, 10> list_;
  std::size_t size_ = 0;
};

// The advice of the conventions for histograms of requests and lookups, in seconds.
inline constexpr double kRequestSeconds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                             0.5,   0.75, 1,     2.5,  5,     7.5, 10};

// Adds the fields of a row by their attributes' names, but for those with the keys `except`.
void add_fields(const Row& row, std::span<const std::string_view> except, SpanDraft& span);

struct Telemetry {
  // What --otlp-spans calls its spans, which are made only when asked for; empty: they always are.
  std::string_view spans_name = {};
  // Fills the span of a row; false: the row is none. nullptr: no row is.
  bool (*span)(const Row& row, SpanDraft& span) = nullptr;
  std::span<const Instrument> instruments = {};
  void (*measure)(const Row& row, Measures& out) = nullptr;  // with instruments
};

}  // namespace plumb::otlp
