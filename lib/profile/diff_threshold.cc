#include "profile/diff_threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "profile/threshold_syntax.h"
#include "query/diagnostic.h"
#include "query/syntax.h"

namespace plumb::profile {
namespace {

using query::Compare;
using query::Node;
using query::Operand;

// One comparison: the change of a function, or of any, with a limit.
struct Limit {
  bool total = false;
  bool any = false;
  std::string function;
  bool above = true;  // > and >=; otherwise < and <=
  double limit = 0;   // +0.05: 5 % more
  std::string text;   // of the left side, printable
};

ChangeVerdict negated(ChangeVerdict v) {
  if (v == ChangeVerdict::inconclusive) return v;
  return v == ChangeVerdict::more ? ChangeVerdict::not_more : ChangeVerdict::more;
}

// Where the interval lies, seen from the limit.
ChangeVerdict verdict_of(const Interval& i, const Limit& l) {
  if (l.above ? i.low > l.limit : i.high < l.limit) return ChangeVerdict::more;
  if (l.above ? i.high <= l.limit : i.low >= l.limit) return ChangeVerdict::not_more;
  return ChangeVerdict::inconclusive;
}

std::string interval_text(const Change& c) {
  if (c.before.share <= 0 && c.after.share <= 0) return "unknown: no sample of it on either side";
  return fmt::format("{} (at least {}, at most {})", change_text(c.interval.change),
                     change_text(c.interval.low), change_text(c.interval.high));
}

// The worst function, and what the others leave open.
DiffVerdict any_function(const Diff& diff, const Limit& l) {
  constexpr double kLarge = 0.01;
  DiffVerdict out{ChangeVerdict::not_more, {}};
  const FunctionChange* told = nullptr;
  for (const FunctionChange& f : diff.functions) {
    const Change& c = l.total ? f.total : f.self;
    ChangeVerdict v = verdict_of(c.interval, l);
    if (diff.before_uncounted || diff.after_uncounted) v = ChangeVerdict::inconclusive;
    const bool large = std::max(c.before.share, c.after.share) >= kLarge;
    if (v == ChangeVerdict::more && out.verdict != ChangeVerdict::more) {
      out.verdict = v;
      told = &f;
    } else if (v == ChangeVerdict::inconclusive && large && out.verdict == ChangeVerdict::not_more) {
      out.verdict = v;
      told = &f;
    }
  }
  if (diff.functions.empty()) out.verdict = ChangeVerdict::inconclusive;
  if (told == nullptr) {
    out.text = l.text + (diff.functions.empty() ? ": no samples" : ": no function of 1 % or more");
    return out;
  }
  out.text = l.text + "(\"";
  append_printable(out.text, told->name);
  out.text += "\") = " + interval_text(l.total ? told->total : told->self);
  return out;
}

DiffVerdict named_function(const Diff& diff, const Limit& l) {
  const Change c = diff.of(l.function, l.total, normal_quantile(kNamedLevel));
  DiffVerdict out{verdict_of(c.interval, l), l.text + " = " + interval_text(c)};
  if (diff.before_uncounted || diff.after_uncounted) out.verdict = ChangeVerdict::inconclusive;
  return out;
}

}  // namespace

struct DiffThreshold::State : ThresholdSyntax<DiffThreshold::State, Limit> {
  static constexpr std::string_view kExample = "compare a change with it, for example self(\"f\") > +5%";

  Result<void> check_test(std::string_view source, query::NodeId id);
  Result<Limit> left_side(std::string_view source, const Operand& operand) const;
  ChangeVerdict evaluate(query::NodeId id, const Diff& diff, std::string& told) const;
};

Result<void> DiffThreshold::State::check_test(std::string_view source, query::NodeId id) {
  Node node = syntax.nodes[id];
  const bool order = node.compare >= Compare::less && node.compare <= Compare::greater_equal;
  if (!order) {
    return query::error_at(source, node.compare_at,
                           std::string(query::spelling(node.compare)) + " does not go with changes",
                           "< <= > >= do");
  }
  if (node.left.is_literal()) {
    std::swap(node.left, node.right.front());
    node.compare = query::flipped(node.compare);
  }
  auto limit = left_side(source, node.left);
  if (!limit) return std::move(limit).error();
  const Operand& right = node.right.front();
  if (right.kind != Operand::Kind::number || right.number.unit != query::Unit::percent) {
    return query::error_at(source, right.at, "a change compares with a percentage",
                           "such as +5%, 0% or -10%");
  }
  limit->above = node.compare == Compare::greater || node.compare == Compare::greater_equal;
  limit->limit = right.number.value;
  limits[id] = *std::move(limit);
  return {};
}

Result<Limit> DiffThreshold::State::left_side(std::string_view source, const Operand& o) const {
  const bool call = o.kind == Operand::Kind::call;
  if ((!call && o.kind != Operand::Kind::name) || (o.text != "self" && o.text != "total")) {
    return query::error_at(source, o.at, "what changes is missing here",
                           R"(self("FUNCTION") or total("FUNCTION"); self or total alone for any function)");
  }
  Limit limit{.total = o.text == "total", .any = !call};
  append_printable(limit.text, source.substr(o.at.begin, o.at.end - o.at.begin));
  if (!call) return limit;
  const Node* argument = o.argument == query::kNoNode ? nullptr : &syntax.nodes[o.argument];
  if (argument == nullptr || argument->kind != Node::Kind::truth ||
      argument->left.kind != Operand::Kind::text) {
    return query::error_at(source, o.at, "the function's name belongs between quotes",
                           o.text + "(\"crc32\")");
  }
  limit.function = argument->left.text;
  return limit;
}

ChangeVerdict DiffThreshold::State::evaluate(query::NodeId id, const Diff& diff, std::string& told) const {
  const Node& node = syntax.nodes[id];
  if (node.kind == Node::Kind::test) {
    const Limit& l = limits[id];
    const DiffVerdict v = l.any ? any_function(diff, l) : named_function(diff, l);
    told += (told.empty() ? "" : ", ") + v.text;
    return v.verdict;
  }
  if (node.kind == Node::Kind::negation) return negated(evaluate(node.children.front(), diff, told));
  // Of `any` one that holds decides, of `all` one that does not.
  const ChangeVerdict decides = node.kind == Node::Kind::any ? ChangeVerdict::more : ChangeVerdict::not_more;
  ChangeVerdict out = negated(decides);
  for (const query::NodeId child : node.children) {
    const ChangeVerdict v = evaluate(child, diff, told);
    if (v == decides) out = decides;
    if (v == ChangeVerdict::inconclusive && out != decides) out = v;
  }
  return out;
}

DiffThreshold::DiffThreshold(std::unique_ptr<State> state) : state_(std::move(state)) {}
DiffThreshold::DiffThreshold(DiffThreshold&&) noexcept = default;
DiffThreshold& DiffThreshold::operator=(DiffThreshold&&) noexcept = default;
DiffThreshold::~DiffThreshold() = default;

Result<DiffThreshold> DiffThreshold::compile(std::string_view text) {
  auto state = State::compile(text);
  if (!state) return std::move(state).error();
  return DiffThreshold(*std::move(state));
}

Result<void> DiffThreshold::check_names(const Diff& diff) const {
  for (const Limit& l : state_->limits) {
    if (l.function.empty() || diff.has(l.function)) continue;
    std::vector<std::string_view> names;
    for (const std::string& name : diff.names)
      names.push_back(std::string_view(name).substr(0, name.find('(')));
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    Error error{"no function is named " + query::quoted(l.function),
                "neither in the profile before nor in the one after"};
    append_printable(error.hint,
                     query::did_you_mean(l.function, names, "names are compared as the table shows them"));
    return error;
  }
  return {};
}

DiffVerdict DiffThreshold::evaluate(const Diff& diff) const {
  DiffVerdict out;
  out.verdict = state_->evaluate(state_->syntax.root, diff, out.text);
  return out;
}

const std::string& DiffThreshold::text() const {
  return state_->text;
}

std::string change_text(double change) {
  if (std::isinf(change)) return "new";
  if (change <= -1) return "gone";
  if (change >= 9.995) return fmt::format("x {:.1f}", 1 + change);  // +900 % and more
  return fmt::format("{:+.1f} %", 100 * change);
}

}  // namespace plumb::profile
