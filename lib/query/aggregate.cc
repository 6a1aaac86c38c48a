#include "query/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "query/fields.h"

namespace plumb::query {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kNsPerSecond = 1e9;

// 0.5 for "p50", 0.999 for "p999". Two digits are a percentage, more are its decimals; p100 would be misread
// as 100 %, so that names of three digits and more begin with 9.
std::optional<double> quantile_of(std::string_view name) {
  if (name.size() < 2 || name.size() > 7 || name.front() != 'p') return std::nullopt;
  const std::string_view digits = name.substr(1);
  double value = 0;
  double scale = 1;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    scale /= 10;
    value += (c - '0') * scale;
  }
  if (digits.size() == 1) value /= 10;  // p5 is 5 %
  if (value <= 0 || (digits.size() > 2 && digits.front() != '9')) return std::nullopt;
  return value;
}

// As many decimals as make three significant digits, at least `least`.
int decimals_for(double value, int least) {
  const double size = std::abs(value);
  if (size == 0 || !std::isfinite(size)) return least;
  return std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), least, 6);
}

// `limit` is NaN when there is none.
std::string decimal(double value, double limit, int least) {
  constexpr int kMost = 9;
  const auto text = [&](int decimals) { return fmt::format("{:.{}f}", value, decimals); };
  const auto side_is_kept = [&](std::string_view s) {
    double shown = 0;
    std::from_chars(s.data(), s.data() + s.size(), shown);
    return (shown <=> limit) == (value <=> limit);
  };
  int decimals = decimals_for(value, least);
  std::string s = text(decimals);
  while (decimals < kMost && !side_is_kept(s)) s = text(++decimals);
  return s;
}

Error bad_call(std::string_view text, const Operand& o) {
  static const std::vector<std::string_view> kNames = {"count", "rate", "share", "p50", "p90", "p95",
                                                       "p99",   "p999", "min",   "max", "avg", "sum"};
  return error_at(text, o.name_at, "there is no aggregate " + quoted(o.text),
                  did_you_mean(o.text, kNames, "there are " + enumerate(kNames)));
}

}  // namespace

Result<void> Aggregate::set_function(std::string_view text, const Operand& o) {
  const bool argument = o.argument != kNoNode;
  const std::string_view name = o.text;
  if (name == "count") {
    function_ = argument ? Function::count_of : Function::count;
    return {};
  }
  if (name == "rate") {
    function_ = Function::rate;
    type_ = FieldType::number;
    if (argument) return error_at(text, o.at, "rate takes no argument", "it counts all rows, a second");
    return {};
  }
  if (name == "share") {
    function_ = Function::share;
  } else if (const auto q = quantile_of(name)) {
    function_ = Function::quantile;
    quantile_ = *q;
  } else if (name == "min") {
    function_ = Function::min;
  } else if (name == "max") {
    function_ = Function::max;
  } else if (name == "avg") {
    function_ = Function::avg;
  } else if (name == "sum") {
    function_ = Function::sum;
  } else {
    return bad_call(text, o);
  }
  if (argument) return {};
  return error_at(text, o.at, std::string(name) + " takes an argument",
                  function_ == Function::share ? "a condition, such as share(pid == 1)"
                                               : "a field, such as " + std::string(name) + "(latency_ms)");
}

Result<void> Aggregate::set_field(std::string_view text, const Syntax& syntax, const Operand& o,
                                  const Schema& schema) {
  const Node& node = syntax.nodes[o.argument];
  if (node.kind != Node::Kind::truth || node.left.kind != Operand::Kind::name) {
    return error_at(text, node.at, o.text + " takes a field", "conditions are for share(...) and count(...)");
  }
  const auto field = resolve_field(text, node.left.at, node.left.text, schema);
  if (!field) return field.error();
  const FieldSpec& spec = schema.spec(*field);
  if (!is_numeric(spec.type)) {
    return error_at(
        text, node.at,
        o.text + " takes numbers; " + std::string(spec.key) + " is " + std::string(describe(spec.type)));
  }
  field_ = *field;
  key_ = spec.key;
  says_unit_ = node.left.text == spec.key;
  type_ = spec.type;
  return {};
}

Result<Aggregate> Aggregate::compile(std::string_view text, const Syntax& syntax, const Operand& o,
                                     const Schema& schema, TypeMask counted) {
  Aggregate a;
  a.counted_ = counted;
  append_printable(a.text_, text.substr(o.at.begin, o.at.end - o.at.begin));
  if (auto r = a.set_function(text, o); !r) return std::move(r).error();
  if (a.takes_field()) {
    if (auto r = a.set_field(text, syntax, o, schema); !r) return std::move(r).error();
  } else if (o.argument != kNoNode) {
    auto predicate = Predicate::compile(text, syntax, o.argument, schema);
    if (!predicate) return std::move(predicate).error();
    a.counted_ = predicate->types(schema, counted);
    a.predicate_ = *std::move(predicate);
  }
  return a;
}

Result<double> Aggregate::limit(std::string_view text, const Operand& literal) const {
  if (literal.kind != Operand::Kind::number) {
    return error_at(text, literal.at, text_ + " is a number", "a number or null belongs here");
  }
  const Number& n = literal.number;
  if (function_ == Function::share) {
    if (n.unit != Unit::none && n.unit != Unit::percent) {
      return error_at(text, literal.at, "a share is a percentage", "such as 1%");
    }
    if (n.value < 0 || n.value > 1) {
      return error_at(text, literal.at, "a share is between 0% and 100%",
                      n.unit == Unit::none && n.value > 1 && n.value <= 100
                          ? fmt::format("did you mean {}%?",
                                        text.substr(literal.at.begin, literal.at.end - literal.at.begin))
                          : "");
    }
    return n.value;
  }
  if (needs_unit(n, type_, says_unit_)) return no_unit(text, literal.at, text_, type_);
  const auto scalar = scalar_for(n, type_);
  if (!scalar) return error_at(text, literal.at, scalar.error().what);
  return scalar->value();
}

void Aggregate::observe(const Row& row) {
  if (!takes_field() && (counted_ >> row.type() & 1U) == 0) return;
  switch (function_) {
    case Function::count:
    case Function::rate:
      ++rows_;
      return;
    case Function::count_of:
    case Function::share:
      if (function_ == Function::share && !row.carries(predicate_->first_field())) return;
      ++rows_;
      {
        const bool held = (*predicate_)(row);
        if (held) ++held_;
        if (function_ == Function::share && ordered_) stretches_.observe(held ? 1 : 0);
      }
      return;
    default:
      break;
  }
  if (!row.carries(field_)) return;
  if (const auto scalar = Scalar::of(row.get(field_))) {
    values_.observe(scalar->value());
    if (ordered_) stretches_.observe(scalar->value());
  }
}

std::optional<double> Aggregate::value(Duration elapsed) const {
  switch (function_) {
    case Function::count:
      return static_cast<double>(rows_);
    case Function::rate:
      if (rows_ == 0) return 0.0;
      if (elapsed.ns <= 0) return std::nullopt;
      return static_cast<double>(rows_) * kNsPerSecond / static_cast<double>(elapsed.ns);
    case Function::count_of:
      return static_cast<double>(held_);
    case Function::share:
      if (rows_ == 0) return std::nullopt;
      return static_cast<double>(held_) / static_cast<double>(rows_);
    case Function::quantile:
      return values_.quantile(quantile_);
    case Function::min:
      return values_.min();
    case Function::max:
      return values_.max();
    case Function::avg:
      return values_.mean();
    case Function::sum:
      return values_.sum();
  }
  return std::nullopt;
}

std::optional<Estimate> Aggregate::estimate(Duration elapsed) const {
  if (function_ == Function::quantile)
    return widened(quantile_estimate(values_, quantile_), stretches_.quantiles(quantile_));
  if (function_ == Function::share) return widened(share_estimate(held_, rows_), stretches_.shares());
  const auto measured = value(elapsed);
  if (!measured) return std::nullopt;
  Estimate e = Estimate::exact(*measured);
  e.rows = rows();
  return e;
}

// A condition as written, but for blanks outside quotes.
std::string Aggregate::source() const {
  if (takes_field()) return std::string(key_);
  if (!predicate_) return "count";
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '"' && (i == 0 || text_[i - 1] != '\\')) quoted = !quoted;
    if (quoted || text_[i] != ' ') out += text_[i];
  }
  return out;
}

Measure Aggregate::measure() const {
  if (function_ == Function::share) return Measure::share;
  if (takes_field() && type_ == FieldType::duration) return Measure::duration;
  return takes_field() && type_ == FieldType::bytes ? Measure::bytes : Measure::number;
}

std::optional<double> Aggregate::number(std::optional<double> value) const {
  if (value && type_ == FieldType::duration) return *value / kNsPerMs;
  return value;
}

std::string Aggregate::show(std::optional<double> value, std::optional<double> limit) const {
  if (!value) return "null";
  const bool share = function_ == Function::share;
  const bool duration = type_ == FieldType::duration;
  const double scale = duration ? kNsPerMs : 1;
  const double shown = share ? *value * 100 : *value / scale;
  double against = std::numeric_limits<double>::quiet_NaN();
  if (limit) against = share ? *limit * 100 : *limit / scale;
  if (share) return decimal(shown, against, 1) + " %";
  if (duration) return decimal(shown, against, 1) + " ms";
  if (function_ == Function::rate) return decimal(shown, against, 1) + " /s";
  const bool whole = shown == std::trunc(shown);
  const std::string s = whole ? fmt::format("{:.0f}", shown) : decimal(shown, against, 1);
  return type_ == FieldType::bytes ? s + " B" : s;
}

}  // namespace plumb::query
