#include "profile/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "base/utf8.h"
#include "flame_assets.h"
#include "profile/numbers.h"

namespace plumb::profile {
namespace {

constexpr double kPad = 10;
constexpr double kRow = 18;     // height of a frame
constexpr double kTitle = 42;   // of the document: title and search field
constexpr double kLine = 17;    // a line of the head
constexpr double kFooter = 54;  // legend and the line of details
constexpr double kCharacter =
    7.25;  // width of one at 12 px, monospace: the widest of the fonts that the style names
constexpr double kTitleCharacter = 10.4;
constexpr double kSearchField = 340;   // right of the title: reset button and search field
constexpr std::size_t kMaxName = 400;  // bytes; C++ templates give names of many kilobytes
constexpr unsigned kShareBits = 52;    // a weight beyond 2^52 is no exact number in the script

unsigned columns_of(const Utf8Step& step) {
  return step.valid && step.code >= 0x1100 ? 2 : 1;  // as the script counts
}

// At most `most` columns, with an ellipsis where some are missing; never cuts a character.
std::string shortened(std::string_view text, std::size_t most) {
  std::size_t columns = 0, cut = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Step step = decode_utf8(text.substr(i));
    columns += columns_of(step);
    if (columns > most) return std::string(text.substr(0, cut)) + "\xE2\x80\xA6";
    i += step.size;
    if (columns + 1 <= most) cut = i;
  }
  return std::string(text);
}

std::uint32_t hash_of(std::string_view name) {
  std::uint32_t h = 2166136261U;  // FNV-1a
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h ^ h >> 15;
}

// hsl: from `hue` on so many degrees, around a saturation and a lightness.
struct Palette {
  unsigned hue, hues, saturation, lightness;
  std::string_view meaning;
};

const Palette& palette_of(FrameKind kind) {
  static constexpr Palette kPalettes[kFrameKinds] = {
      {14, 38, 80, 69, "user"},     {262, 30, 60, 80, "kernel"}, {95, 32, 48, 70, "JIT"},
      {168, 18, 45, 74, "inlined"}, {204, 16, 70, 75, "python"}, {210, 10, 10, 85, "process or remark"}};
  return kPalettes[static_cast<std::size_t>(kind)];
}

class Drawing {
 public:
  Drawing(const Graph& graph, Bytes& out) : graph_(graph), tree_(*graph.tree), out_(out) {
    total_ = graph.weight(Tree::kRoot);
    while (total_ >> shift_ >> kShareBits != 0) ++shift_;
    choose_threshold();
    head_height_ = kTitle + kLine * static_cast<double>(graph.head.size()) + 8;
    height_ = head_height_ + static_cast<double>(drawn_depth_ + 1) * kRow + kFooter;
  }

  Result<void> write() {
    head();
    if (auto r = frames(); !r) return r;
    footer();
    return out_.drain();
  }

 private:
  // The weight from which on nodes are drawn, so that at most most_frames are.
  void choose_threshold() {
    std::vector<std::uint64_t> weights;
    weights.reserve(tree_.size());
    for (NodeId id = 0; id < tree_.size(); ++id) weights.push_back(graph_.weight(id));
    threshold_ = 1;
    if (weights.size() > graph_.most_frames) {
      const auto nth = weights.begin() + static_cast<std::ptrdiff_t>(graph_.most_frames);
      std::nth_element(weights.begin(), nth, weights.end(), std::greater<>());
      threshold_ = std::max<std::uint64_t>(*nth + 1, 1);  // all of one weight, or none
    }
    for (NodeId id = 0; id < tree_.size(); ++id) {
      if (drawn(id)) {
        drawn_depth_ = std::max(drawn_depth_, tree_.node(id).depth);
      } else {
        ++left_out_;
      }
    }
  }
  bool drawn(NodeId id) const { return id == Tree::kRoot || graph_.weight(id) >= threshold_; }

  std::string& text_of() { return out_.buffer(); }

  void text(double x, double y, std::string_view attributes, std::string_view content) {
    fmt::format_to(std::back_inserter(text_of()), R"(<text x="{:.1f}" y="{:.1f}"{}>)", x, y, attributes);
    append_xml(text_of(), content);
    text_of() += "</text>\n";
  }

  void head() {
    const auto w = static_cast<double>(graph_.width);
    fmt::format_to(
        std::back_inserter(text_of()),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0:.0f} {1:.0f}\">\n<style>{2}</style>\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#fbfaf8\"/>\n",
        w, height_, kFlameGraphCss);
    const auto columns = [](double width, double character) {
      return static_cast<std::size_t>(width / character);
    };
    text(kPad, 27, R"( id="title")",
         shortened(graph_.title, columns(w - kSearchField - 2 * kPad, kTitleCharacter)));
    fmt::format_to(
        std::back_inserter(text_of()),
        "<text id=\"reset\" class=\"button hidden\" x=\"{:.1f}\" y=\"27\" text-anchor=\"end\">reset zoom</text>\n",
        w - kPad - 225);
    double y = kTitle + 8;
    for (const std::string& line : graph_.head) {
      text(kPad, y, R"( class="head")", shortened(line, columns(w - 2 * kPad, kCharacter)));
      y += kLine;
    }
    fmt::format_to(std::back_inserter(text_of()), "<g id=\"frames\" data-total=\"{}\">\n", total_ >> shift_);
  }

  void footer() {
    text_of() += "</g>\n";
    double x = kPad;
    const double y = height_ - kFooter + 12;
    for (const auto& [colour, meaning] : graph_.legend) {
      fmt::format_to(std::back_inserter(text_of()),
                     R"(<rect x="{:.1f}" y="{:.1f}" width="12" height="12" fill="{}"/>)", x, y, colour);
      text(x + 17, y + 10, R"( class="key")", meaning);
      x += 17 + kCharacter * static_cast<double>(display_width(meaning)) + 18;
    }
    if (left_out_ != 0) {
      text(static_cast<double>(graph_.width) - kPad, y + 10, R"( class="key right" text-anchor="end")",
           fmt::format("{} frames thinner than {:.2g} % are not drawn", left_out_,
                       100 * static_cast<double>(threshold_) /
                           static_cast<double>(std::max<std::uint64_t>(total_, 1))));
    }
    fmt::format_to(
        std::back_inserter(text_of()),
        "<g id=\"bar\" transform=\"translate(0,{:.0f})\"><rect width=\"100%\" height=\"24\"/>\n"
        "<text id=\"details\" x=\"{:.1f}\" y=\"16\"></text>\n"
        "<text id=\"matched\" class=\"right\" x=\"{:.1f}\" y=\"16\" text-anchor=\"end\"></text></g>\n"
        "<script><![CDATA[\n{}]]></script>\n</svg>\n",
        height_ - 24, kPad, static_cast<double>(graph_.width) - kPad, kFlameGraphJs);
  }

  // Depth first without recursion: a stack may be thousands of frames deep.
  Result<void> frames() {
    struct Pending {
      NodeId node;
      std::uint64_t start;
    };
    std::vector<Pending> pending{{Tree::kRoot, 0}};
    while (!pending.empty()) {
      const Pending p = pending.back();
      pending.pop_back();
      frame(p.node, p.start);
      if (auto r = out_.maybe_drain(); !r) return r;
      const std::size_t first = pending.size();
      std::uint64_t start = p.start;
      for (NodeId c = tree_.node(p.node).first_child; c != kNoNode; c = tree_.node(c).next_sibling) {
        if (drawn(c)) pending.push_back({c, start});
        start += graph_.weight(c);
      }
      std::reverse(pending.begin() + static_cast<std::ptrdiff_t>(first), pending.end());
    }
    return {};
  }

  void frame(NodeId id, std::uint64_t start) {
    const Tree::Node& node = tree_.node(id);
    const Label label = tree_.label(node.label);
    const std::string name =
        label.name.size() > kMaxName ? shortened(label.name, kMaxName) : std::string(label.name);
    const double pixels = static_cast<double>(graph_.width) - 2 * kPad;
    const auto total = static_cast<double>(std::max<std::uint64_t>(total_, 1));
    const std::uint64_t weight = graph_.weight(id);
    const std::uint32_t row = graph_.icicle ? node.depth : drawn_depth_ - node.depth;
    const double top = head_height_ + static_cast<double>(row) * kRow;
    const double left = kPad + static_cast<double>(start) / total * pixels;
    const double width = id == Tree::kRoot ? pixels : static_cast<double>(weight) / total * pixels;
    std::string& out = text_of();
    out += R"(<g class="f" data-p=")";
    append_number(out, start >> shift_);
    append_number(out += ',', weight >> shift_);
    append_number(out += ',', node.depth);
    out += "\"><title>";
    append_xml(out, name);
    out += '\n';
    append_lines(out, graph_.details(id));
    append_fixed(out += R"(</title><rect x=")", left, 2);
    append_fixed(out += R"(" y=")", top, 0);
    append_fixed(out += R"(" width=")", std::max(width, 0.1), 2);
    append_fixed(out += R"(" height=")", kRow - 1, 0);
    out.append(R"(" rx="1.5" fill=")").append(graph_.colour(id)).append("\"/>");
    const auto room = static_cast<std::size_t>(std::max(0.0, (width - 6) / kCharacter));
    if (room >= 3) {
      append_fixed(out += R"(<text x=")", left + 3, 2);
      append_fixed(out += R"(" y=")", top + 13, 0);
      out += "\">";
      std::string printable;
      append_printable(printable, name);
      append_xml(out, shortened(printable, room));
      out += "</text>";
    }
    out += "</g>\n";
  }

  // append_xml shows a newline as \n; here they are meant.
  static void append_lines(std::string& out, std::string_view lines) {
    for (std::size_t end = 0; (end = lines.find('\n')) != std::string_view::npos;
         lines.remove_prefix(end + 1)) {
      append_xml(out, lines.substr(0, end));
      out += '\n';
    }
    append_xml(out, lines);
  }

  const Graph& graph_;
  const Tree& tree_;
  Bytes& out_;
  std::uint64_t total_ = 0;
  unsigned shift_ = 0;
  std::uint64_t threshold_ = 1;
  std::size_t left_out_ = 0;
  std::uint32_t drawn_depth_ = 0;
  double head_height_ = 0;
  double height_ = 0;
};

std::string hsl_text(std::uint32_t hue, std::uint32_t saturation, std::uint32_t lightness) {
  std::string out;
  append_number(out += "hsl(", hue);
  append_number(out += ',', saturation);
  append_number(out += "%,", lightness);
  return out += "%)";
}

}  // namespace

std::string colour_of(const Label& label) {
  const std::uint32_t h = hash_of(label.name);
  const Palette& p = palette_of(label.kind);
  return hsl_text(p.hue + h % p.hues, p.saturation + h / 64 % 10, p.lightness + h / 4096 % 7);
}

std::vector<std::pair<std::string, std::string>> legend_of(const Tree& tree) {
  bool occurs[kFrameKinds] = {};
  for (NodeId id = 1; id < tree.size(); ++id)
    occurs[static_cast<std::size_t>(tree.label(tree.node(id).label).kind)] = true;
  std::vector<std::pair<std::string, std::string>> legend;
  for (std::size_t i = 0; i < kFrameKinds; ++i) {
    const Palette& p = palette_of(static_cast<FrameKind>(i));
    if (!occurs[i]) continue;
    legend.emplace_back(hsl_text(p.hue + p.hues / 2, p.saturation + 5, p.lightness + 3), p.meaning);
  }
  return legend;
}

Result<void> write_graph(const Graph& graph, Bytes& out) {
  return Drawing(graph, out).write();
}

}  // namespace plumb::profile
