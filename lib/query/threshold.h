// Threshold: the expression of --fail-if, over aggregates of all rows of a run.
//
//   p99(latency_ms) > 50
//   share(outcome != "established") > 1% && count >= 100
//   count(status >= 500) > 0 || count == 0
//
//   count            rows seen                      count(EXPR)   rows for which EXPR holds
//   rate             rows a second                  share(EXPR)   of the rows that carry EXPR's first field,
//   the part
//                                                                 for which EXPR holds
//   p50(f) p99(f) p999(f) ...   quantiles: pNN is NN %, pNNN is NN.N %; within 0.4 % of the value at that
//   rank min(f) max(f) avg(f) sum(f)
//
// Aggregates compare with numbers (with units as in --where) by == != < <= > >=, and with null by == and !=;
// && || ! and parentheses join. share compares with a percentage or a fraction of 1. EXPR is any expression
// of --where.
//
// + - * / join aggregates and numbers, with one unit on both sides. base(AGGREGATE) is its value in an earlier run:
//
//   p99(latency) > 1.2 * base(p99(latency))
//
// One run is a sample. A comparison with base(...) holds, or does not, only where the values' intervals (estimate.h) tell;
// otherwise it is inconclusive, and so is one whose baseline saw nothing. Other comparisons are about this run alone and
// take the values as measured.
//
// Which rows count: `count` and `rate` take all rows of the types that the tool counts (a connection is counted where it
// begins, not again where it ends). An aggregate of a field takes the rows where the field is known, of every type.
// count(EXPR) and share(EXPR) take the types that are counted, or all where EXPR names `type` or a field of the others;
// share(EXPR) of these the rows whose type carries the first field that EXPR names, known or not.
//
// Nothing seen: count and sum are 0, rate is 0; share, quantiles, min, max and avg are null. Null satisfies
// no comparison but `== null`, so a run that saw nothing fails by `count == 0` and not by `p99(latency) > 50ms`.
// (`!(p99(latency) <= 50ms)` holds then, as in --where.)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/sketch.h"
#include "event/field.h"

namespace plumb {

// One aggregate of a threshold, measured.
struct Measured {
  std::string text;              // as written, printable: "p99(latency_ms)"
  std::string value;             // "12.3 ms", "50.0 %", "17", "null"
  std::optional<double> number;  // in ms, bytes, a fraction of 1, or as the field counts; nothing for null
  std::string limit = {};        // what it is compared with first, as `value`; empty: with null, or nothing
  std::optional<double> limit_number = {};
  std::uint64_t rows = 0;  // that the value is of; 0: none, or a figure that is not of rows
  // Where it is compared with a baseline: what the value leaves open, at 95 % confidence. Nothing: no bound.
  bool has_interval = false;
  std::optional<double> low = {}, high = {};
  std::string interval = {};  // "10.1 ms to 19.0 ms"
};

struct Verdict {
  bool holds = false;
  // A comparison with the baseline leaves both answers open.
  bool inconclusive = false;
  // Then: about how many rows each run would have to have; nothing: no number would do.
  std::optional<std::uint64_t> rows_needed = {};
  std::vector<Measured> measured;  // in the order written, each aggregate once
  // "share(outcome != "established") = 50.0 % (n 2), count = 2"
  std::string text() const;
};

class Threshold {
 public:
  // `counted`: the types of rows that count, rate and share are of, unless their condition asks for others.
  static Result<Threshold> compile(std::string_view text, const Schema& schema, TypeMask counted = kAllTypes);
  Threshold(Threshold&&) noexcept;
  Threshold& operator=(Threshold&&) noexcept;
  ~Threshold();

  // `row` is of the schema that this was compiled for, or of the same fields.
  void observe(const Row& row);
  // A row of the baseline, and how long that took.
  void observe_base(const Row& row);
  bool uses_base() const;
  // Before the first row: sketches() are to be compared with another run. Where base(...) is used it is so anyway.
  void keep_order();
  // What the aggregates of this run are computed from; those of base(...), by their names; and those, kept from an earlier
  // run, in place of its rows.
  std::vector<Sketch> sketches() const;
  std::vector<std::string> base_sources() const;
  void set_base(const Sketch& kept);
  // `elapsed` is what `rate` divides by; when it is not positive, rate is null, or 0 when nothing was seen.
  Verdict evaluate(Duration elapsed, Duration base_elapsed = {}) const;
  const std::string& text() const;  // the expression, printable

 private:
  struct State;
  explicit Threshold(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plumb
