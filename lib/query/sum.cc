#include "query/sum.h"

#include <utility>

#include "query/fields.h"

namespace plumb::query {
namespace {

std::string_view name_of(Measure m) {
  switch (m) {
    case Measure::plain:
    case Measure::number:
      return "a number";
    case Measure::duration:
      return "a duration";
    case Measure::bytes:
      return "a size";
    case Measure::share:
      return "a share";
  }
  return "a number";
}

bool is_scalar(Measure m) {
  return m == Measure::plain || m == Measure::number;
}

}  // namespace

std::size_t Sums::push(Node node) {
  nodes_.push_back(node);
  return nodes_.size() - 1;
}

// A number without a unit counts what the other side's name says: milliseconds beside latency_ms.
Result<std::size_t> Sums::adapted(std::string_view text, std::size_t node, const Node& other) {
  constexpr double kNsPerMs = 1e6;
  const Measure measure = other.measure;
  const Node& own = nodes_[node];
  const bool zero = own.kind == Kind::number && own.number == 0;
  if ((measure == Measure::duration || measure == Measure::bytes) && !other.says_unit && !zero)
    return no_unit(text, own.at, text.substr(other.at.begin, other.at.end - other.at.begin),
                   measure == Measure::duration ? FieldType::duration : FieldType::bytes);
  const std::size_t scale =
      push({.number = measure == Measure::duration ? kNsPerMs : 1.0, .at = nodes_[node].at});
  return push({.kind = Kind::times, .measure = measure, .left = node, .right = scale, .at = nodes_[node].at});
}

// The measure of what is added or compared.
Result<Measure> Sums::agree(std::string_view text, Span at, std::size_t& left, std::size_t& right) {
  const Measure a = nodes_[left].measure, b = nodes_[right].measure;
  if (a == b) return a;
  if (a == Measure::plain || b == Measure::plain) {
    std::size_t& plain = a == Measure::plain ? left : right;
    auto node = adapted(text, plain, Node(nodes_[a == Measure::plain ? right : left]));
    if (!node) return std::move(node).error();
    plain = *node;
    return a == Measure::plain ? b : a;
  }
  return error_at(text, at,
                  std::string(name_of(a)) + " and " + std::string(name_of(b)) + " do not go together",
                  "what is added or compared has one unit");
}

Result<std::size_t> Sums::add_arithmetic(std::string_view text, const Operand& o, const Find& find) {
  auto left = add(text, o.sides[0], find);
  if (!left) return left;
  auto right = add(text, o.sides[1], find);
  if (!right) return right;
  std::size_t l = *left, r = *right;
  const Measure a = nodes_[l].measure, b = nodes_[r].measure;
  const bool says_unit = nodes_[l].says_unit || nodes_[r].says_unit;
  switch (o.sign) {
    case '+':
    case '-': {
      const auto measure = agree(text, o.at, l, r);
      if (!measure) return measure.error();
      return push({.kind = o.sign == '+' ? Kind::plus : Kind::minus,
                   .measure = *measure,
                   .says_unit = says_unit,
                   .left = l,
                   .right = r,
                   .at = o.at});
    }
    case '*':
      if (!is_scalar(a) && !is_scalar(b)) {
        return error_at(
            text, o.at,
            std::string(name_of(a)) + " times " + std::string(name_of(b)) + " is nothing to compare",
            "one of the two has to be a number");
      }
      return push({.kind = Kind::times,
                   .measure = a == Measure::plain || !is_scalar(b) ? b : a,
                   .says_unit = says_unit,
                   .left = l,
                   .right = r,
                   .at = o.at});
    default:
      break;
  }
  if (!is_scalar(b) && a != b) {
    return error_at(text, o.at,
                    std::string(name_of(a)) + " over " + std::string(name_of(b)) + " is nothing to compare",
                    "divide by a number, or by what has the same unit");
  }
  return push({.kind = Kind::over,
               .measure = is_scalar(b) ? a : Measure::plain,
               .says_unit = says_unit,
               .left = l,
               .right = r,
               .at = o.at});
}

Result<std::size_t> Sums::add(std::string_view text, const Operand& o, const Find& find) {
  switch (o.kind) {
    case Operand::Kind::arithmetic:
      return add_arithmetic(text, o, find);
    case Operand::Kind::number: {
      Measure measure = Measure::plain;  // a percentage is a fraction of 1
      if (o.number.unit == Unit::duration) measure = Measure::duration;
      if (o.number.unit == Unit::size) measure = Measure::bytes;
      return push({.measure = measure, .number = o.number.value, .at = o.at});
    }
    case Operand::Kind::name:
    case Operand::Kind::call: {
      const auto leaf = find.place(o);
      if (!leaf) return leaf.error();
      const Aggregate& a = find.aggregate(*leaf);
      return push({.kind = Kind::leaf,
                   .measure = a.measure(),
                   .says_unit = is_scalar(a.measure()) ? false : a.says_unit(),
                   .leaf = *leaf,
                   .at = o.at});
    }
    default:
      return error_at(text, o.at, "this is no number", "aggregates, numbers and + - * / belong here");
  }
}

Result<Comparison> Sums::compile(std::string_view text, const Operand& left, Compare compare,
                                 const Operand& right, const Find& find) {
  auto l = add(text, left, find);
  if (!l) return l.error();
  auto r = add(text, right, find);
  if (!r) return r.error();
  Comparison comparison{*l, *r, compare};
  const Span at{left.at.begin, right.at.end};
  if (auto measure = agree(text, at, comparison.left, comparison.right); !measure) return measure.error();
  return comparison;
}

std::optional<Estimate> Sums::value(std::size_t node, std::span<const std::optional<Estimate>> run,
                                    std::span<const std::optional<Estimate>> base) const {
  const Node& n = nodes_[node];
  if (n.kind == Kind::number) return Estimate::exact(n.number);
  if (n.kind == Kind::leaf) return n.leaf.base ? base[n.leaf.place] : run[n.leaf.place];
  const auto left = value(n.left, run, base), right = value(n.right, run, base);
  if (!left || !right) return std::nullopt;
  switch (n.kind) {
    case Kind::plus:
      return *left + *right;
    case Kind::minus:
      return *left - *right;
    case Kind::times:
      return *left * *right;
    default:
      return divided(*left, *right);
  }
}

bool Sums::measures(std::size_t node) const {
  const Node& n = nodes_[node];
  if (n.kind == Kind::number) return false;
  return n.kind == Kind::leaf || measures(n.left) || measures(n.right);
}

bool Sums::lacks_base(std::size_t node, std::span<const std::optional<Estimate>> base) const {
  const Node& n = nodes_[node];
  if (n.kind == Kind::number) return false;
  if (n.kind == Kind::leaf) return n.leaf.base && !base[n.leaf.place];
  return lacks_base(n.left, base) || lacks_base(n.right, base);
}

}  // namespace plumb::query
