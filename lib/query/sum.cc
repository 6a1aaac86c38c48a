#include "query/sum.h"

#include <utility>

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

// A number without a unit counts milliseconds beside durations.
std::size_t Sums::adapted(std::size_t node, Measure measure) {
  constexpr double kNsPerMs = 1e6;
  const std::size_t scale =
      push({.number = measure == Measure::duration ? kNsPerMs : 1.0, .at = nodes_[node].at});
  return push({.kind = Kind::times, .measure = measure, .left = node, .right = scale, .at = nodes_[node].at});
}

// The measure of what is added or compared.
Result<Measure> Sums::agree(std::string_view text, Span at, std::size_t& left, std::size_t& right) {
  const Measure a = nodes_[left].measure, b = nodes_[right].measure;
  if (a == b) return a;
  if (a == Measure::plain) return left = adapted(left, b), b;
  if (b == Measure::plain) return right = adapted(right, a), a;
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
  switch (o.sign) {
    case '+':
    case '-': {
      const auto measure = agree(text, o.at, l, r);
      if (!measure) return measure.error();
      return push({.kind = o.sign == '+' ? Kind::plus : Kind::minus,
                   .measure = *measure,
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
  return push(
      {.kind = Kind::over, .measure = is_scalar(b) ? a : Measure::plain, .left = l, .right = r, .at = o.at});
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
      return push({.kind = Kind::leaf, .measure = find.measure(*leaf), .leaf = *leaf, .at = o.at});
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
