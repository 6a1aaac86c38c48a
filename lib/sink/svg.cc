// A flame graph as one SVG file. The stacks are merged into a tree; every node becomes a rectangle as wide as
// its share, above (or, as icicles, below) its parent. Siblings stand in the order of their names, so that
// the same stacks give the same file, byte for byte; a name's colour follows from the name alone.
//
// Names come from outside: they are escaped for XML, and bytes that XML forbids become visible escapes.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <vector>

#include "base/text.h"
#include "sink/formats.h"
#include "sink/svg_script.h"

namespace plumb {
namespace {

constexpr double kPad = 10;
constexpr double kRow = 18;          // height of a frame
constexpr double kHeader = 64;       // title, buttons
constexpr double kFooter = 44;       // details
constexpr double kCharacter = 7.25;  // width of one at 12 px, monospace
constexpr double kThinnest = 0.15;   // pixels; thinner ones only cost bytes
constexpr std::size_t kMaxNodes = std::size_t{1} << 20;
constexpr std::size_t kMaxName = 400;  // bytes; C++ templates give names of many kilobytes

struct Node {
  std::string name;
  std::uint64_t value = 0;  // with everything above it
  std::map<std::string, std::size_t, std::less<>> children;
};

// append_printable leaves no control bytes and no broken UTF-8; U+FFFE and U+FFFF are forbidden by XML
// besides (XML 1.0, section 2.2) and read as spaces here.
void append_xml(std::string& out, std::string_view text) {
  std::string printable;
  append_printable(printable, text);
  for (std::size_t i = 0; i < printable.size(); ++i) {
    const char c = printable[i];
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (printable.compare(i, 2, "\xEF\xBF") == 0 && i + 2 < printable.size() &&
             (printable[i + 2] & 0xFE) == 0xBE) {
      out += ' ';
      i += 2;
    } else {
      out += c;
    }
  }
}

// At most `most` characters, with an ellipsis where some are missing; counts UTF-8 characters, never cuts
// one.
std::string shortened(std::string_view text, std::size_t most) {
  std::size_t characters = 0, cut = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xC0) == 0x80) continue;
    if (characters + 1 == most) cut = i;
    if (++characters > most) return std::string(text.substr(0, cut)) + "\xE2\x80\xA6";
  }
  return std::string(text);
}

std::uint32_t hash_of(std::string_view name) {
  std::uint32_t h = 2166136261U;  // FNV-1a
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h ^ h >> 15;
}

// Warm tones of equal lightness, so that black text is readable on each. What stands in brackets is no
// function but a remark (a drop reason, an idle CPU): blue.
std::string colour_of(std::string_view name) {
  const std::uint32_t h = hash_of(name);
  if (name.starts_with('[')) return fmt::format("hsl({},62%,{}%)", 200 + h % 20, 74 + h / 32 % 6);
  return fmt::format("hsl({},{}%,{}%)", 14 + h % 38, 74 + h / 64 % 14, 66 + h / 4096 % 9);
}

class SvgSink final : public Sink {
 public:
  SvgSink(Output& output, FlameGraphStyle style) : output_(&output), style_(std::move(style)) {
    nodes_.push_back({"all", 0, {}});
  }

  Result<void> row(const Row&) override {
    return Error{"a flame graph shows stacks alone", "this run gives events", "choose --format json"};
  }

  Result<void> stack(const Stack& stack) override {
    if (style_.unit.empty()) style_.unit = stack.unit;
    std::size_t at = 0;
    nodes_[0].value += stack.value;
    std::size_t depth = 0;
    if (!stack.comm.empty()) at = add(at, stack.comm, stack.value), ++depth;
    for (const std::string_view frame : stack.frames) {
      if (nodes_.size() >= kMaxNodes) break;  // the rest of this stack stands as its last frame
      at = add(at, frame, stack.value);
      ++depth;
    }
    depth_ = std::max(depth_, depth);
    return {};
  }

  Result<void> lost(const Loss& loss) override {
    lost_ += loss.count;
    return {};
  }

  Result<void> end() override {
    head();
    if (auto r = draw(); !r) return r;
    output_->buffer() += "</g>\n<script><![CDATA[";
    output_->buffer() += kFlameGraphScript;
    output_->buffer() += "]]></script>\n</svg>\n";
    return output_->write_out();
  }

 private:
  std::size_t add(std::size_t parent, std::string_view frame, std::uint64_t value) {
    const auto found = nodes_[parent].children.find(frame);
    std::size_t at = 0;
    if (found != nodes_[parent].children.end()) {
      at = found->second;
    } else {
      at = nodes_.size();
      nodes_[parent].children.emplace(std::string(frame), at);
      nodes_.push_back({std::string(frame), 0, {}});
    }
    nodes_[at].value += value;
    return at;
  }

  double height() const { return kHeader + static_cast<double>(depth_ + 1) * kRow + kFooter; }

  void head() {
    const auto w = static_cast<double>(style_.width), h = height();
    auto out = std::back_inserter(output_->buffer());
    fmt::format_to(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0:.0f} {1:.0f}\">\n<style>{2}</style>\n",
        w, h, kFlameGraphStyleSheet);
    fmt::format_to(out, "<rect width=\"100%\" height=\"100%\" fill=\"#fbfaf8\"/>\n");
    text("title", w / 2, 24, "middle", style_.title);
    text("subtitle", w / 2, 42, "middle",
         shortened(subtitle(), static_cast<std::size_t>((w - 2 * kPad) / kCharacter)));
    fmt::format_to(
        out,
        "<text id=\"reset\" class=\"button hidden\" x=\"{:.0f}\" y=\"24\">reset zoom</text>\n"
        "<text id=\"search\" class=\"button\" x=\"{:.0f}\" y=\"24\" text-anchor=\"end\">search</text>\n",
        kPad, w - kPad);
    text("details", kPad, h - 16, "start", "");
    text("matched", w - kPad, h - 16, "end", "");
    fmt::format_to(out, "<g id=\"frames\">\n");
  }

  std::string subtitle() const {
    std::string out = fmt::format("{} {}", nodes_[0].value, style_.unit);
    if (lost_ != 0) out += fmt::format(", {} more were lost", lost_);
    if (!style_.subtitle.empty()) out += ", " + style_.subtitle;
    return out;
  }

  void text(std::string_view id, double x, double y, std::string_view anchor, std::string_view content) {
    std::string& out = output_->buffer();
    fmt::format_to(std::back_inserter(out), R"(<text id="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">)", id, x,
                   y, anchor);
    append_xml(out, content);
    out += "</text>\n";
  }

  // Depth first without recursion: a stack may be thousands of frames deep.
  Result<void> draw() {
    struct Pending {
      std::size_t node;
      std::size_t depth;
      double x;  // 0 to 1
    };
    const double total = nodes_[0].value == 0 ? 1 : static_cast<double>(nodes_[0].value);
    const double pixels = static_cast<double>(style_.width) - 2 * kPad;
    std::vector<Pending> pending{{0, 0, 0}};
    while (!pending.empty()) {
      const Pending p = pending.back();
      pending.pop_back();
      const Node& node = nodes_[p.node];
      const double share = p.node == 0 ? 1 : static_cast<double>(node.value) / total;
      if (share * pixels < kThinnest) continue;
      frame(node, p.depth, p.x, share, pixels);
      if (auto r = output_->maybe_write(); !r) return r;
      double x = p.x;
      for (const auto& [name, child] : node.children) {
        pending.push_back({child, p.depth + 1, x});
        x += static_cast<double>(nodes_[child].value) / total;
      }
    }
    return {};
  }

  void frame(const Node& node, std::size_t depth, double x, double share, double pixels) {
    const std::string name = node.name.size() > kMaxName ? shortened(node.name, kMaxName) : node.name;
    const std::size_t row = style_.icicle ? depth : depth_ - depth;
    const double top = kHeader + static_cast<double>(row) * kRow, left = kPad + x * pixels,
                 width = share * pixels;
    std::string& out = output_->buffer();
    fmt::format_to(std::back_inserter(out),
                   R"(<g class="f" data-x="{:.9g}" data-w="{:.9g}" data-d="{}" data-n=")", x, share, depth);
    append_xml(out, name);
    out += "\"><title>";
    append_xml(out, name);
    fmt::format_to(std::back_inserter(out), " ({} {}, {:.2f} %)</title>", node.value, style_.unit,
                   share * 100);
    fmt::format_to(
        std::back_inserter(out),
        "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" rx=\"1.5\" fill=\"{}\"/>"
        "<text x=\"{:.2f}\" y=\"{:.1f}\">",
        left, top, width, kRow - 1, colour_of(node.name), left + 3, top + 13);
    const auto room = static_cast<std::size_t>(std::max(0.0, (width - 6) / kCharacter));
    if (room >= 3) append_xml(out, shortened(name, room));
    out += "</text></g>\n";
  }

  Output* output_;
  FlameGraphStyle style_;
  std::vector<Node> nodes_;
  std::size_t depth_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace

std::unique_ptr<Sink> make_svg_sink(Output& output, FlameGraphStyle style) {
  return std::make_unique<SvgSink>(output, std::move(style));
}

}  // namespace plumb
