#include "profile/threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "profile/threshold_syntax.h"
#include "profile/write.h"
#include "query/compare.h"
#include "query/diagnostic.h"
#include "query/syntax.h"

namespace plumb::profile {
namespace {

using query::Compare;
using query::Node;
using query::Operand;

struct Figure {
  std::string_view name;
  enum class Argument : std::uint8_t { none, optional, required } argument = Argument::none;
  bool percent = true, number = true;  // what it compares with
};

constexpr Figure kFigures[] = {
    {.name = "count", .percent = false},
    {.name = "lost"},
    {.name = "rooted"},
    {.name = "truncated"},
    {.name = "unsymbolised", .argument = Figure::Argument::optional},
    {.name = "self", .argument = Figure::Argument::required, .number = false},
    {.name = "total", .argument = Figure::Argument::required, .number = false},
};

struct Limit {
  const Figure* figure = nullptr;
  std::string argument;  // of a function or file
  std::string text;      // of the left side, printable
  Compare compare = Compare::equal;
  bool percent = false;
  double value = 0;
};

// A part of a whole; nothing: unknown.
struct Part {
  std::optional<double> part, whole;
};

Part known(std::int64_t part, std::uint64_t whole) {
  if (part < 0) return {};
  return {static_cast<double>(part), static_cast<double>(whole)};
}

// A file by its name or by its whole path.
bool is_file(std::string_view path, std::string_view wanted) {
  return path == wanted || module_name(path) == wanted;
}

// A function by its whole name, or by what stands before its arguments.
bool is_function(std::string_view name, std::string_view wanted) {
  return name == wanted || name.substr(0, name.find('(')) == wanted;
}

Part unsymbolised(const Profile& p, std::string_view file) {
  std::uint64_t samples = 0;
  for (std::size_t i = 0; i < p.samples(); ++i) {
    const Sample s = p.sample(i);
    const bool nameless = std::ranges::any_of(s.frames, [&](FrameId id) {
      const Frame f = p.frame_of(id);
      return f.function.empty() && (file.empty() || is_file(p.mapping_of(f.mapping).path, file));
    });
    if (nameless) samples += s.count;
  }
  return {static_cast<double>(samples), static_cast<double>(p.total_count())};
}

Part weight_of(const Profile& p, std::string_view function, bool total) {
  std::vector<bool> is_it(p.frames());
  for (FrameId id = 0; id < p.frames(); ++id)
    is_it[id] = is_function(display_name(p, p.frame_of(id)), function);
  double weight = 0;
  for (std::size_t i = 0; i < p.samples(); ++i) {
    const Sample s = p.sample(i);
    const auto frames = total || s.frames.empty() ? s.frames : s.frames.last(1);
    if (std::ranges::any_of(frames, [&](FrameId id) { return is_it[id]; }))
      weight += static_cast<double>(s.value);
  }
  return {weight, static_cast<double>(p.total_value())};
}

Part measured(const Limit& l, const Profile& p) {
  const Quality& q = p.quality();
  const std::uint64_t samples = p.total_count();
  const std::string_view name = l.figure->name;
  if (name == "count") return {static_cast<double>(samples), {}};
  if (name == "lost")
    return known(q.lost, samples + static_cast<std::uint64_t>(std::max<std::int64_t>(q.lost, 0)));
  if (name == "rooted") return known(q.rooted, samples);
  if (name == "truncated") return known(q.truncated, samples);
  if (name == "unsymbolised") return unsymbolised(p, l.argument);
  return weight_of(p, l.argument, name == "total");
}

std::optional<double> value_of(const Limit& l, const Profile& p) {
  const Part m = measured(l, p);
  if (!l.percent) return m.part;
  if (!m.part || !m.whole || *m.whole <= 0) return std::nullopt;
  return *m.part / *m.whole;
}

// With as many digits as it takes to see on which side of the limit it is.
std::string shown(const Limit& l, std::optional<double> value) {
  if (!value) return "unknown";
  if (!l.percent) return fmt::format("{:.0f}", *value);
  for (int digits = 1; digits < 9; ++digits) {
    std::string text = fmt::format("{:.{}f}", 100 * *value, digits);
    const double read = std::strtod(text.c_str(), nullptr) / 100;
    if ((read <=> l.value) == (*value <=> l.value)) return text + " %";
  }
  return fmt::format("{} %", 100 * *value);
}

std::vector<std::string_view> figure_names() {
  std::vector<std::string_view> names;
  for (const Figure& f : kFigures) names.push_back(f.name);
  return names;
}

}  // namespace

struct ProfileThreshold::State : ThresholdSyntax<ProfileThreshold::State, Limit> {
  static constexpr std::string_view kExample = "compare it, for example rooted < 95%";

  Result<void> check_test(std::string_view source, query::NodeId id);
  Result<void> left_side(std::string_view source, const Operand& operand, Limit& limit) const;
  bool holds(query::NodeId id, const Profile& profile, Verdict& verdict) const;
};

Result<void> ProfileThreshold::State::check_test(std::string_view source, query::NodeId id) {
  Node node = syntax.nodes[id];
  if (node.compare > Compare::greater_equal) {
    return query::error_at(source, node.compare_at,
                           std::string(query::spelling(node.compare)) + " does not go with figures",
                           "== != < <= > >= do");
  }
  if (node.left.is_literal()) {
    std::swap(node.left, node.right.front());
    node.compare = query::flipped(node.compare);
  }
  Limit limit{.compare = node.compare};
  if (auto r = left_side(source, node.left, limit); !r) return r;
  const Operand& right = node.right.front();
  const bool number = right.kind == Operand::Kind::number;
  limit.percent = number && right.number.unit == query::Unit::percent;
  const bool whole = number && right.number.unit == query::Unit::none && right.number.whole;
  if (!(limit.percent && limit.figure->percent) && !(whole && limit.figure->number)) {
    return query::error_at(source, right.at, limit.text + " does not compare with this",
                           !limit.figure->percent ? "it is a number of samples, such as 100"
                           : !limit.figure->number
                               ? "it is a percentage, such as 20%"
                               : "it is a percentage, such as 5%, or a number of samples");
  }
  limit.value = right.number.value;
  limits[id] = std::move(limit);
  return {};
}

Result<void> ProfileThreshold::State::left_side(std::string_view source, const Operand& o,
                                                Limit& limit) const {
  const bool call = o.kind == Operand::Kind::call;
  if (!call && o.kind != Operand::Kind::name)
    return query::error_at(source, o.at, "both sides are values",
                           "one of them has to be a figure such as rooted");
  const auto* const found = std::ranges::find(kFigures, o.text, &Figure::name);
  if (found == std::end(kFigures)) {
    const auto names = figure_names();
    return query::error_at(source, o.at, "no figure " + query::quoted(o.text),
                           query::did_you_mean(o.text, names, "there are " + query::enumerate(names)));
  }
  limit.figure = found;
  append_printable(limit.text, source.substr(o.at.begin, o.at.end - o.at.begin));
  const Node* argument = o.argument == query::kNoNode ? nullptr : &syntax.nodes[o.argument];
  const bool quoted = argument != nullptr && argument->kind == Node::Kind::truth &&
                      argument->left.kind == Operand::Kind::text;
  if (call ? !quoted || found->argument == Figure::Argument::none
           : found->argument == Figure::Argument::required) {
    const std::string name(found->name);
    return query::error_at(source, o.at,
                           found->argument == Figure::Argument::none ? name + " takes nothing in parentheses"
                                                                     : "a name belongs between quotes here",
                           found->argument == Figure::Argument::required ? name + "(\"FUNCTION\")"
                           : found->argument == Figure::Argument::optional
                               ? name + "(\"FILE\"), or " + name + " alone"
                               : name + " < 95%");
  }
  if (quoted) limit.argument = argument->left.text;
  return {};
}

// Everything is measured, also what no longer matters to the answer: the reader sees it all.
bool ProfileThreshold::State::holds(query::NodeId id, const Profile& profile, Verdict& verdict) const {
  const Node& node = syntax.nodes[id];
  if (node.kind == Node::Kind::test) {
    const Limit& l = limits[id];
    const auto value = value_of(l, profile);
    Measured now{l.text, shown(l, value), value};
    const auto same = [&](const Measured& m) { return m.text == now.text && m.value == now.value; };
    if (std::ranges::none_of(verdict.measured, same)) verdict.measured.push_back(std::move(now));
    return value && query::satisfies(*value <=> l.value, l.compare);
  }
  if (node.kind == Node::Kind::negation) return !holds(node.children.front(), profile, verdict);
  const bool any = node.kind == Node::Kind::any;
  bool out = !any;
  for (const query::NodeId child : node.children) {
    const bool now = holds(child, profile, verdict);
    out = any ? out || now : out && now;
  }
  return out;
}

ProfileThreshold::ProfileThreshold(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProfileThreshold::ProfileThreshold(ProfileThreshold&&) noexcept = default;
ProfileThreshold& ProfileThreshold::operator=(ProfileThreshold&&) noexcept = default;
ProfileThreshold::~ProfileThreshold() = default;

Result<ProfileThreshold> ProfileThreshold::compile(std::string_view text) {
  auto state = State::compile(text);
  if (!state) return std::move(state).error();
  return ProfileThreshold(*std::move(state));
}

Verdict ProfileThreshold::evaluate(const Profile& profile) const {
  Verdict verdict;
  verdict.holds = state_->holds(state_->syntax.root, profile, verdict);
  return verdict;
}

const std::string& ProfileThreshold::text() const {
  return state_->text;
}

}  // namespace plumb::profile
