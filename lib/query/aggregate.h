// The functions of --fail-if: what each measures and how its result reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/sketch.h"
#include "event/field.h"
#include "query/estimate.h"
#include "query/predicate.h"
#include "query/scalar.h"
#include "query/syntax.h"

namespace plumb::query {

// What a value counts. `plain` is of a number in the expression, which takes the other side's unit.
enum class Measure : std::uint8_t { plain, number, duration, bytes, share };

class Aggregate {
 public:
  // From `count`, `rate` or a call. `text` is the whole expression. `counted`: the types of rows that count and share are of,
  // unless a condition asks for others.
  static Result<Aggregate> compile(std::string_view text, const Syntax& syntax, const Operand& operand,
                                   const Schema& schema, TypeMask counted);

  // A literal that it is compared with, in the unit of value(). A literal that makes no sense is an Error.
  Result<double> limit(std::string_view text, const Operand& literal) const;

  void observe(const Row& row);
  // Nanoseconds, bytes, a fraction of 1, or as the field counts.
  std::optional<double> value(Duration elapsed) const;
  // The same with what it leaves open; of what is no quantile and no share, as measured.
  std::optional<Estimate> estimate(Duration elapsed) const;
  Measure measure() const;
  // Whether the field's name as written says what a number alone counts: "latency_ms" does, "latency" does not.
  bool says_unit() const { return says_unit_; }
  // From here on the values are kept in their order, too: for estimate(), and for a sketch that another run is compared with.
  void keep_order() { ordered_ = true; }
  // What it is computed from: the same for all aggregates of one field, of one condition, or of the number of rows.
  std::string source() const;
  Sketch sketch() const { return {{}, source(), rows_, held_, values_, stretches_}; }
  // Computes from `kept`, a sketch of the same source, instead of what was observed.
  void restore(const Sketch& kept) {
    rows_ = kept.rows, held_ = kept.held, values_ = kept.values, stretches_ = kept.stretches;
  }
  // How many rows the value is of.
  std::uint64_t rows() const { return takes_field() ? values_.count() : rows_; }
  // `value` as people read it. It gets more digits where rounding would bring it to the other side of
  // `limit`.
  std::string show(std::optional<double> value, std::optional<double> limit) const;
  // `value` as JSON has it: durations in milliseconds.
  std::optional<double> number(std::optional<double> value) const;

  // As written, printable.
  const std::string& text() const { return text_; }

 private:
  enum class Function : std::uint8_t { count, rate, count_of, share, quantile, min, max, avg, sum };

  Result<void> set_function(std::string_view text, const Operand& operand);
  Result<void> set_field(std::string_view text, const Syntax& syntax, const Operand& operand,
                         const Schema& schema);
  bool takes_field() const { return function_ >= Function::quantile; }

  Function function_ = Function::count;
  std::string text_;
  FieldType type_ = FieldType::unsigned_integer;  // what literals it compares with
  double quantile_ = 0;
  std::size_t field_ = 0;
  bool says_unit_ = true;
  TypeMask counted_ = kAllTypes;
  std::string_view key_;  // of the field
  std::optional<Predicate> predicate_;
  std::uint64_t rows_ = 0;  // that could have counted
  std::uint64_t held_ = 0;  // for which the predicate held
  Quantiles values_;
  bool ordered_ = false;
  Stretches stretches_;
};

}  // namespace plumb::query
