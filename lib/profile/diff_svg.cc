#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "profile/diff.h"
#include "profile/graph.h"
#include "profile/tree.h"

namespace plumb::profile {
namespace {

// With names as compare() takes them, no addresses and no lines. All of one kind, that of root labels, so that a process
// is the same whether its name came as a label (pprof) or as a frame (folded).
Profile comparable(const Profile& profile) {
  std::string name;  // lives until the frame is kept
  return profile.rewritten([&](const Frame& f, std::vector<Frame>& out) {
    name = comparable_name(profile, f);
    out.push_back({.function = name, .kind = FrameKind::note});
  });
}

class DiffGraph {
 public:
  DiffGraph(const Profile& before, const Profile& after, const SvgStyle& style) {
    tree_.add(comparable(before), style.root, 0);
    tree_.add(comparable(after), style.root, 1);
    tree_.sort();
    samples_[0] = static_cast<double>(before.total_count());
    samples_[1] = static_cast<double>(after.total_count());
  }

  Result<void> write(const Profile& before, const Profile& after, const SvgStyle& style, Bytes& out) const {
    Graph graph;
    graph.tree = &tree_;
    graph.title = style.title.empty() ? "Difference" : style.title;
    graph.head = {"before: " + quality_text(before), "after:  " + quality_text(after)};
    if (!style.note.empty()) graph.head.push_back(style.note);
    graph.legend = {{colour(-1, 1), "less than before"},
                    {colour(0, 0), "no difference that the samples show"},
                    {colour(1, 1), "more than before"}};
    graph.weight = [this](NodeId id) { return weight(id); };
    graph.colour = [this](NodeId id) { return colour(direction(id), sureness(id)); };
    graph.details = [this](NodeId id) { return details(id); };
    graph.icicle = style.icicle;
    graph.width = style.width;
    graph.most_frames = style.most_frames;
    return write_graph(graph, out);
  }

 private:
  double share(NodeId id, std::size_t side) const {
    const auto total = static_cast<double>(tree_.node(Tree::kRoot).value[side]);
    return total == 0 ? 0 : static_cast<double>(tree_.node(id).value[side]) / total;
  }

  // The mean of both shares, of 2^40. Rounded down on each side, so that children never add up to more than their parent.
  std::uint64_t weight(NodeId id) const {
    constexpr unsigned kHalf = 39;
    std::uint64_t sum = 0;
    for (std::size_t side = 0; side < Tree::kSides; ++side) {
      const std::uint64_t total = tree_.node(Tree::kRoot).value[side];
      if (total == 0) continue;
      __extension__ using Wide = unsigned __int128;
      sum += static_cast<std::uint64_t>((static_cast<Wide>(tree_.node(id).value[side]) << kHalf) / total);
    }
    return sum;
  }

  // -1 vanished, 0 as before, 1 new.
  double direction(NodeId id) const {
    const double b = share(id, 0), a = share(id, 1);
    return a + b == 0 ? 0 : (a - b) / (a + b);
  }

  // 0 to 1: the difference in its standard deviations, where four are sure.
  double sureness(NodeId id) const {
    if (samples_[0] == 0 || samples_[1] == 0) return 0;
    const double b = share(id, 0), a = share(id, 1),
                 p = (b * samples_[0] + a * samples_[1]) / (samples_[0] + samples_[1]);
    const double spread = kRunToRun * std::max(a, b);
    const double deviation = std::sqrt(p * (1 - p) * (1 / samples_[0] + 1 / samples_[1]) + spread * spread);
    constexpr double kSure = 4;
    return deviation == 0 ? 0 : std::min(std::abs(a - b) / deviation / kSure, 1.0);
  }

  static std::string colour(double direction, double sureness) {
    constexpr double kFull = 0.2;  // half as much again, or two thirds
    // By the root, so that what changed by a tenth is seen at a glance beside what did not change.
    const double strength = sureness * std::sqrt(std::min(std::abs(direction) / kFull, 1.0));
    return fmt::format("hsl({},{:.0f}%,{:.0f}%)", direction > 0 ? 4 : 212, 12 + 78 * strength,
                       91 - 33 * strength);
  }

  std::string details(NodeId id) const {
    const double b = share(id, 0), a = share(id, 1);
    const char* word = b == 0 ? ", new" : a == 0 ? ", vanished" : "";
    return fmt::format("before {:.2f} %, after {:.2f} %, {:+.2f} points{}", 100 * b, 100 * a, 100 * (a - b),
                       word);
  }

  Tree tree_;
  double samples_[Tree::kSides] = {0, 0};
};

}  // namespace

Result<void> write_diff_svg(const Profile& before, const Profile& after, const SvgStyle& style, Bytes& out) {
  return DiffGraph(before, after, style).write(before, after, style, out);
}

}  // namespace plumb::profile
