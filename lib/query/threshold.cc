#include "query/threshold.h"

#include <algorithm>
#include <compare>
#include <utility>

#include "base/text.h"
#include "query/aggregate.h"
#include "query/compare.h"
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
  query::Syntax syntax;
  std::vector<query::Aggregate> aggregates;
  std::vector<query::Limit> limits;                  // by node
  std::vector<std::optional<double>> shown_against;  // by aggregate: the first number it is compared with

  Result<void> check(std::string_view source, query::NodeId id, const Schema& schema);
  Result<void> check_test(std::string_view source, query::NodeId id, const Schema& schema);
  Result<std::size_t> aggregate(std::string_view source, const query::Operand& operand, const Schema& schema);
  bool holds(query::NodeId id, const std::vector<std::optional<double>>& values) const;
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
  const auto found = aggregate(source, node.left, schema);
  if (!found) return found.error();
  const query::Operand& right = node.right.front();
  if (!right.is_literal()) {
    return query::error_at(source, right.at, "an aggregate compares with a number", "such as 50, 20ms or 1%");
  }
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

// The index of the aggregate that `operand` writes; one that is written twice is measured once.
Result<std::size_t> Threshold::State::aggregate(std::string_view source, const query::Operand& operand,
                                                const Schema& schema) {
  const bool bare = operand.kind == query::Operand::Kind::name;
  if (bare && operand.text != "count" && operand.text != "rate" &&
      schema.find(operand.text) != Schema::npos) {
    return query::error_at(
        source, operand.at, query::quoted(operand.text) + " is a field, not an aggregate",
        "write for example max(" + operand.text + ") or count(" + operand.text + " != null)");
  }
  auto made = query::Aggregate::compile(source, syntax, operand, schema);
  if (!made) return std::move(made).error();
  const auto same = std::find_if(aggregates.begin(), aggregates.end(),
                                 [&](const query::Aggregate& a) { return a.text() == made->text(); });
  if (same != aggregates.end()) return static_cast<std::size_t>(same - aggregates.begin());
  aggregates.push_back(*std::move(made));
  shown_against.emplace_back();
  return aggregates.size() - 1;
}

bool Threshold::State::holds(query::NodeId id, const std::vector<std::optional<double>>& values) const {
  const query::Node& node = syntax.nodes[id];
  const auto child_holds = [&](query::NodeId child) { return holds(child, values); };
  switch (node.kind) {
    case query::Node::Kind::any:
      return std::any_of(node.children.begin(), node.children.end(), child_holds);
    case query::Node::Kind::all:
      return std::all_of(node.children.begin(), node.children.end(), child_holds);
    case query::Node::Kind::negation:
      return !child_holds(node.children.front());
    default:
      return query::holds(limits[id], values[limits[id].aggregate]);
  }
}

Threshold::Threshold(std::unique_ptr<State> state) : state_(std::move(state)) {}
Threshold::Threshold(Threshold&&) noexcept = default;
Threshold& Threshold::operator=(Threshold&&) noexcept = default;
Threshold::~Threshold() = default;

Result<Threshold> Threshold::compile(std::string_view text, const Schema& schema) {
  auto syntax = query::parse(text);
  if (!syntax) return std::move(syntax).error();
  auto state = std::make_unique<State>();
  append_printable(state->text, text);
  state->syntax = *std::move(syntax);
  state->limits.resize(state->syntax.nodes.size());
  if (auto r = state->check(text, state->syntax.root, schema); !r) return std::move(r).error();
  return Threshold(std::move(state));
}

void Threshold::observe(const Row& row) {
  for (query::Aggregate& a : state_->aggregates) a.observe(row);
}

Verdict Threshold::evaluate(Duration elapsed) const {
  std::vector<std::optional<double>> values;
  Verdict verdict;
  for (std::size_t i = 0; i < state_->aggregates.size(); ++i) {
    const query::Aggregate& a = state_->aggregates[i];
    values.push_back(a.value(elapsed));
    const std::optional<double>& limit = state_->shown_against[i];
    verdict.measured.push_back({a.text(), a.show(values.back(), limit), a.number(values.back()),
                                limit ? a.show(limit, std::nullopt) : std::string{}, a.number(limit),
                                a.rows()});
  }
  verdict.holds = state_->holds(state_->syntax.root, values);
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
  }
  return s;
}

}  // namespace plumb
