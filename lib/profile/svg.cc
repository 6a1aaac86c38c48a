// A flame graph as one SVG file. The stacks are merged into a tree; every node becomes a rectangle as wide as its
// share, above (or, as icicles, below) its parent.

#include <fmt/format.h>

#include <ctime>

#include "profile/graph.h"
#include "profile/numbers.h"
#include "profile/tree.h"
#include "profile/write.h"

namespace plumb::profile {
namespace {

std::string utc_text(UnixTime t) {
  const std::time_t seconds = t.ns / 1'000'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string period_text(const Description& d) {
  if (d.period == 0) return {};
  if (d.period_unit != Unit::nanoseconds) return fmt::format("each {} {}", d.period, d.event);
  return fmt::format("{:.0f} Hz", 1e9 / static_cast<double>(d.period));
}

std::string title_of(const Description& d) {
  std::string title = d.event.empty() ? "Flame graph" : d.event;
  if (!d.command.empty()) title += ": " + d.command;
  if (!d.host.empty()) title += " on " + d.host;
  return title;
}

std::vector<std::string> head_of(const Profile& profile, const std::string& note) {
  const Description& d = profile.description();
  std::vector<std::string> head;
  std::string facts;
  const auto add = [&](const std::string& fact) {
    if (fact.empty()) return;
    if (!facts.empty()) facts += ", ";
    facts += fact;
  };
  if (d.start.ns > 0) add(utc_text(d.start));
  if (d.duration.ns > 0)
    add(weight_text({.unit = Unit::nanoseconds}, static_cast<std::uint64_t>(d.duration.ns)));
  add(period_text(d));
  if (d.unit != Unit::count) add(weight_text(d, profile.total_value()) + " in all");
  if (!facts.empty()) head.push_back(facts);
  head.push_back(quality_text(profile));
  if (!note.empty()) head.push_back(note);
  return head;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  std::string out;
  append_fixed(out, 100 * static_cast<double>(part) / static_cast<double>(whole), 2);
  return out += " %";
}

std::string details_of(const Tree& tree, NodeId id, const Description& d) {
  const Tree::Node& node = tree.node(id);
  const Label label = tree.label(node.label);
  const std::uint64_t total = tree.node(Tree::kRoot).value[0];
  std::uint64_t above = 0;
  for (NodeId c = node.first_child; c != kNoNode; c = tree.node(c).next_sibling)
    above += tree.node(c).value[0];
  std::string out = weight_text(d, node.value[0]) + ", " + percent(node.value[0], total);
  const std::uint64_t self = node.value[0] > above ? node.value[0] - above : 0;
  if (self != 0) out += ", self " + percent(self, total);
  if (d.unit != Unit::count) out += fmt::format(", {} samples", node.count[0]);
  if (label.kind == FrameKind::note) return out;
  std::string lines(label.module);
  if (!lines.empty()) lines += ", ";
  return lines.append(name_of(label.kind)).append("\n").append(out);
}

}  // namespace

Result<void> write_svg(const Profile& profile, const SvgStyle& style, Bytes& out) {
  Tree tree;
  tree.add(profile, style.root);
  tree.sort();
  Graph graph;
  graph.tree = &tree;
  graph.title = style.title.empty() ? title_of(profile.description()) : style.title;
  graph.head = head_of(profile, style.note);
  graph.legend = legend_of(tree);
  graph.weight = [&](NodeId id) { return tree.node(id).value[0]; };
  graph.colour = [&](NodeId id) { return colour_of(tree.label(tree.node(id).label)); };
  graph.details = [&](NodeId id) { return details_of(tree, id, profile.description()); };
  graph.icicle = style.icicle;
  graph.width = style.width;
  graph.most_frames = style.most_frames;
  return write_graph(graph, out);
}

}  // namespace plumb::profile
