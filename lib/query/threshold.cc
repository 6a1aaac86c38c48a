#include "query/threshold.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <map>
#include <utility>

#include "base/text.h"
#include "query/aggregate.h"
#include "query/compare.h"
#include "query/fields.h"
#include "query/sum.h"
#include "query/syntax.h"

namespace plumb {
namespace query {
namespace {

// One comparison of an aggregate.
struct Limit {
  std::size_t aggregate = 0;
  Compare compare = Compare::equal;
  std::optional<double> value;  // nothing: null
};

bool holds(const Limit& limit, const std::optional<double>& value) {
  if (!limit.value) return value.has_value() == (limit.compare == Compare::not_equal);
  return value && satisfies(*value <=> *limit.value, limit.compare);
}

}  // namespace
}  // namespace query

struct Threshold::State {
  std::string text;
  TypeMask counted = kAllTypes;
  query::Syntax syntax;
  std::vector<query::Aggregate> aggregates;
  std::vector<query::Aggregate> base;  // of the baseline
  std::vector<query::Limit> limits;    // by node
  query::Sums sums;
  std::map<query::NodeId, query::Comparison>
      comparisons;  // nodes that are no comparison of one aggregate and a value
  std::vector<std::optional<double>> shown_against;  // by aggregate: the first number it is compared with

  Result<void> check(std::string_view source, query::NodeId id, const Schema& schema);
  Result<void> check_test(std::string_view source, query::NodeId id, const Schema& schema);
  Result<std::size_t> aggregate(std::string_view source, const query::Operand& operand, const Schema& schema);
  Result<void> check_sums(std::string_view source, query::NodeId id, const Schema& schema);
  Result<query::Sums::Leaf> leaf(std::string_view source, const query::Operand& operand,
                                 const Schema& schema);

  struct Values {
    std::vector<std::optional<double>> run;
    std::vector<std::optional<query::Estimate>> estimates, base;
    std::optional<std::uint64_t> rows_needed = 0;  // the most that an open comparison needs
  };
  query::Truth truth(query::NodeId id, Values& values) const;
  query::Truth truth_of(const query::Comparison& c, Values& values) const;
};

Result<void> Threshold::State::check(std::string_view source, query::NodeId id, const Schema& schema) {
  const query::Node& node = syntax.nodes[id];
  if (node.kind == query::Node::Kind::test) return check_test(source, id, schema);
  if (node.kind == query::Node::Kind::truth) {
    if (node.left.is_literal()) {
      return query::error_at(source, node.at, "a value alone is no condition",
                             "compare an aggregate with it");
    }
    if (const auto a = aggregate(source, node.left, schema); !a) return a.error();
    return query::error_at(source, node.at, "an aggregate alone is no condition",
                           "compare it, for example with > 0");
  }
  for (const query::NodeId child : node.children) {
    if (auto r = check(source, child, schema); !r) return r;
  }
  return {};
}

Result<void> Threshold::State::check_test(std::string_view source, query::NodeId id, const Schema& schema) {
  query::Node node = syntax.nodes[id];
  if (node.compare > query::Compare::greater_equal) {
    return query::error_at(source, node.compare_at,
                           std::string(query::spelling(node.compare)) + " does not go with aggregates",
                           "== != < <= > >= do");
  }
  if (node.left.is_literal()) {
    std::swap(node.left, node.right.front());
    node.compare = query::flipped(node.compare);
  }
  if (node.left.is_literal()) {
    return query::error_at(source, node.at, "both sides are values", "one of them has to be an aggregate");
  }
  const auto plain = [](const query::Operand& o) {
    return o.kind != query::Operand::Kind::arithmetic && o.text != "base";
  };
  if (!node.right.front().is_literal() || !plain(node.left)) return check_sums(source, id, schema);
  const auto found = aggregate(source, node.left, schema);
  if (!found) return found.error();
  const query::Operand& right = node.right.front();
  query::Limit limit{.aggregate = *found, .compare = node.compare};
  if (right.kind == query::Operand::Kind::null) {
    if (node.compare > query::Compare::not_equal) {
      return query::error_at(source, node.compare_at, "null compares with == and != only");
    }
  } else {
    const auto value = aggregates[*found].limit(source, right);
    if (!value) return value.error();
    limit.value = *value;
    if (!shown_against[*found]) shown_against[*found] = *value;
  }
  limits[id] = limit;
  return {};
}

namespace {

Result<void> check_no_field(std::string_view source, const query::Operand& operand, const Schema& schema) {
  const bool bare = operand.kind == query::Operand::Kind::name;
  if (bare && operand.text != "count" && operand.text != "rate" &&
      query::find_field(operand.text, schema) != Schema::npos) {
    return query::error_at(
        source, operand.at, query::quoted(operand.text) + " is a field, not an aggregate",
        "write for example max(" + operand.text + ") or count(" + operand.text + " != null)");
  }
  return {};
}

}  // namespace

// The index of the aggregate that `operand` writes; one that is written twice is measured once.
Result<std::size_t> Threshold::State::aggregate(std::string_view source, const query::Operand& operand,
                                                const Schema& schema) {
  if (auto r = check_no_field(source, operand, schema); !r) return std::move(r).error();
  auto made = query::Aggregate::compile(source, syntax, operand, schema, counted);
  if (!made) return std::move(made).error();
  const auto same = std::find_if(aggregates.begin(), aggregates.end(),
                                 [&](const query::Aggregate& a) { return a.text() == made->text(); });
  if (same != aggregates.end()) return static_cast<std::size_t>(same - aggregates.begin());
  aggregates.push_back(*std::move(made));
  shown_against.emplace_back();
  return aggregates.size() - 1;
}

// base(AGGREGATE), or one of this run.
Result<query::Sums::Leaf> Threshold::State::leaf(std::string_view source, const query::Operand& operand,
                                                 const Schema& schema) {
  if (operand.kind != query::Operand::Kind::call || operand.text != "base") {
    const auto found = aggregate(source, operand, schema);
    if (!found) return found.error();
    return query::Sums::Leaf{*found, false};
  }
  const query::Node* inner = operand.argument == query::kNoNode ? nullptr : &syntax.nodes[operand.argument];
  if (inner == nullptr || inner->kind != query::Node::Kind::truth || inner->left.is_literal()) {
    return query::error_at(source, operand.at, "base takes an aggregate", "such as base(p99(latency_ms))");
  }
  if (auto r = check_no_field(source, inner->left, schema); !r) return std::move(r).error();
  auto made = query::Aggregate::compile(source, syntax, inner->left, schema, counted);
  if (!made) return std::move(made).error();
  const auto same = std::ranges::find(base, made->text(), &query::Aggregate::text);
  const auto place = static_cast<std::size_t>(same - base.begin());
  if (same == base.end()) base.push_back(*std::move(made));
  return query::Sums::Leaf{place, true};
}

Result<void> Threshold::State::check_sums(std::string_view source, query::NodeId id, const Schema& schema) {
  const query::Node node = syntax.nodes[id];
  const query::Sums::Find find{[&](const query::Operand& o) { return leaf(source, o, schema); },
                               [&](query::Sums::Leaf l) -> const query::Aggregate& {
                                 return l.base ? base[l.place] : aggregates[l.place];
                               }};
  auto comparison = sums.compile(source, node.left, node.compare, node.right.front(), find);
  if (!comparison) return std::move(comparison).error();
  if (!sums.measures(comparison->left) && !sums.measures(comparison->right))
    return query::error_at(source, node.at, "both sides are values", "one of them has to be an aggregate");
  comparisons.emplace(id, *comparison);
  return {};
}

query::Truth Threshold::State::truth_of(const query::Comparison& c, Values& values) const {
  const auto left = sums.value(c.left, values.estimates, values.base);
  const auto right = sums.value(c.right, values.estimates, values.base);
  if (sums.lacks_base(c.left, values.base) || sums.lacks_base(c.right, values.base)) {
    values.rows_needed.reset();
    return query::Truth::maybe;
  }
  if (!left || !right) return query::Truth::no;
  const query::Truth truth = query::compare(*left, c.compare, *right);
  if (truth == query::Truth::maybe && values.rows_needed) {
    const auto needed = query::rows_needed(*left, *right);
    values.rows_needed = needed ? std::optional(std::max(*values.rows_needed, *needed)) : std::nullopt;
  }
  return truth;
}

// Of && the least true decides, of || the most.
query::Truth Threshold::State::truth(query::NodeId id, Values& values) const {
  using query::Truth;
  const query::Node& node = syntax.nodes[id];
  if (const auto c = comparisons.find(id); c != comparisons.end()) return truth_of(c->second, values);
  if (node.kind == query::Node::Kind::negation) {
    const Truth inner = truth(node.children.front(), values);
    return inner == Truth::yes ? Truth::no : inner == Truth::no ? Truth::yes : Truth::maybe;
  }
  if (node.kind != query::Node::Kind::any && node.kind != query::Node::Kind::all)
    return query::holds(limits[id], values.run[limits[id].aggregate]) ? Truth::yes : Truth::no;
  const bool any = node.kind == query::Node::Kind::any;
  Truth result = any ? Truth::no : Truth::yes;
  for (const query::NodeId child : node.children) {
    const Truth t = truth(child, values);
    result = any ? std::max(result, t) : std::min(result, t);
  }
  return result;
}

Threshold::Threshold(std::unique_ptr<State> state) : state_(std::move(state)) {}
Threshold::Threshold(Threshold&&) noexcept = default;
Threshold& Threshold::operator=(Threshold&&) noexcept = default;
Threshold::~Threshold() = default;

Result<Threshold> Threshold::compile(std::string_view text, const Schema& schema, TypeMask counted) {
  auto syntax = query::parse(text, query::Arithmetic::yes);
  if (!syntax) return std::move(syntax).error();
  auto state = std::make_unique<State>();
  append_printable(state->text, text);
  state->counted = counted;
  state->syntax = *std::move(syntax);
  state->limits.resize(state->syntax.nodes.size());
  if (auto r = state->check(text, state->syntax.root, schema); !r) return std::move(r).error();
  Threshold made(std::move(state));
  if (made.uses_base()) made.keep_order();
  return made;
}

void Threshold::keep_order() {
  for (query::Aggregate& a : state_->aggregates) a.keep_order();
  for (query::Aggregate& a : state_->base) a.keep_order();
}

void Threshold::observe(const Row& row) {
  for (query::Aggregate& a : state_->aggregates) a.observe(row);
}

void Threshold::observe_base(const Row& row) {
  for (query::Aggregate& a : state_->base) a.observe(row);
}

std::vector<Sketch> Threshold::sketches() const {
  std::vector<Sketch> out;
  for (const query::Aggregate& a : state_->aggregates) out.push_back(a.sketch());
  return out;
}

std::vector<std::string> Threshold::base_sources() const {
  std::vector<std::string> out;
  for (const query::Aggregate& a : state_->base) out.push_back(a.source());
  return out;
}

void Threshold::set_base(const Sketch& kept) {
  for (query::Aggregate& a : state_->base) {
    if (a.source() == kept.of) a.restore(kept);
  }
}

bool Threshold::uses_base() const {
  return !state_->base.empty();
}

namespace {

void add_interval(Measured& m, const query::Aggregate& a, const query::Estimate& e) {
  if (e.low == e.high) return;
  const auto bound = [](double b) { return std::isfinite(b) ? std::optional(b) : std::nullopt; };
  m.has_interval = true;
  m.low = a.number(bound(e.low));
  m.high = a.number(bound(e.high));
  const auto shown = [&](double b) { return std::isfinite(b) ? a.show(b, std::nullopt) : std::string("?"); };
  m.interval = shown(e.low) + " to " + shown(e.high);
}

Measured measured(const query::Aggregate& a, std::string text, const std::optional<double>& value,
                  const std::optional<double>& limit) {
  return {std::move(text), a.show(value, limit),
          a.number(value), limit ? a.show(limit, std::nullopt) : std::string{},
          a.number(limit), a.rows()};
}

}  // namespace

Verdict Threshold::evaluate(Duration elapsed, Duration base_elapsed) const {
  State::Values values;
  Verdict verdict;
  for (std::size_t i = 0; i < state_->aggregates.size(); ++i) {
    const query::Aggregate& a = state_->aggregates[i];
    values.run.push_back(a.value(elapsed));
    values.estimates.push_back(uses_base()         ? a.estimate(elapsed)
                               : values.run.back() ? std::optional(query::Estimate::exact(*values.run.back()))
                                                   : std::nullopt);
    verdict.measured.push_back(measured(a, a.text(), values.run.back(), state_->shown_against[i]));
    if (values.estimates.back()) add_interval(verdict.measured.back(), a, *values.estimates.back());
  }
  for (const query::Aggregate& a : state_->base) {
    values.base.push_back(a.estimate(base_elapsed));
    verdict.measured.push_back(measured(a, "base(" + a.text() + ")", a.value(base_elapsed), std::nullopt));
    if (values.base.back()) add_interval(verdict.measured.back(), a, *values.base.back());
  }
  const query::Truth truth = state_->truth(state_->syntax.root, values);
  verdict.holds = truth == query::Truth::yes;
  verdict.inconclusive = truth == query::Truth::maybe;
  if (verdict.inconclusive) verdict.rows_needed = values.rows_needed;
  return verdict;
}

const std::string& Threshold::text() const {
  return state_->text;
}

std::string Verdict::text() const {
  std::string s;
  for (const Measured& m : measured) {
    if (!s.empty()) s += ", ";
    s += m.text + " = " + m.value;
    const bool is_the_number = m.text == "count" || m.text == "base(count)" || m.rows == 0;
    if (is_the_number && !m.has_interval) continue;
    s += " (" + m.interval + (m.has_interval ? ", n " : "n ") + std::to_string(m.rows) + ")";
  }
  if (inconclusive) {
    s += rows_needed ? "; about " + std::to_string(*rows_needed) + " rows in each run would tell"
                     : "; more rows would not tell";
  }
  return s;
}

}  // namespace plumb
