// Folded stacks: "root;caller;leaf 42", one stack a line, as flamegraph.pl and speedscope read them. Stacks that read
// the same are added up; lines are sorted, so that two runs can be compared with diff(1).

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "profile/write.h"

namespace plumb::profile {
namespace {

// ';' parts frames, and the last blank parts the count, so that a ';' within a name becomes ':' as perf's own scripts
// have it. Control bytes are escaped: a newline in a name would forge a line.
void append_frame(std::string& out, std::string_view name) {
  const std::size_t begin = out.size();
  append_printable(out, name);
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), ';', ':');
}

std::string_view mark_of(FrameKind kind) {
  switch (kind) {
    case FrameKind::kernel:
      return "_[k]";
    case FrameKind::jit:
      return "_[j]";
    case FrameKind::inlined:
      return "_[i]";
    case FrameKind::python:
      return "_[p]";
    case FrameKind::user:
    case FrameKind::note:
      break;
  }
  return "";
}

// The text of each distinct frame, made once.
std::vector<std::string> frame_texts(const Profile& profile, bool marks) {
  std::vector<std::string> texts(profile.frames());
  for (FrameId id = 0; id < texts.size(); ++id) {
    const Frame frame = profile.frame_of(id);
    append_frame(texts[id], display_name(profile, frame));
    if (marks) texts[id] += mark_of(frame.kind);
  }
  return texts;
}

// A line before it is written: the texts of its root label, if any, and of its frames. Lines are compared text by text,
// so that nothing need be joined for it; equal texts are equal lines.
class Lines {
 public:
  Lines(const Profile& profile, const FoldedStyle& style)
      : profile_(&profile), texts_(frame_texts(profile, style.marks)) {
    add_roots(style.root);
    rank_texts();
    order_.resize(profile.samples());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::ranges::sort(order_, [this](std::size_t a, std::size_t b) { return compare(a, b) < 0; });
  }

  Result<void> write(Bytes& out) const {
    for (std::size_t i = 0; i < order_.size();) {
      std::uint64_t value = 0;
      const std::size_t first = i;
      for (; i < order_.size() && compare(order_[first], order_[i]) == 0; ++i) {
        if (__builtin_add_overflow(value, profile_->sample(order_[i]).value, &value))
          value = ~std::uint64_t{0};
      }
      line(out.buffer(), order_[first], value);
      if (auto r = out.maybe_drain(); !r) return r;
    }
    return out.drain();
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // Root labels stand in texts_ behind those of the frames. The format has no empty stack: a label stands for one.
  void add_roots(Root root) {
    std::unordered_map<std::string, std::uint32_t> known;
    roots_.assign(profile_->samples(), kNone);
    for (std::size_t i = 0; i < roots_.size(); ++i) {
      const Sample sample = profile_->sample(i);
      std::string label = root_label(sample, root);
      if (label.empty() && sample.frames.empty()) label = "[nothing]";
      if (label.empty()) continue;
      const auto [at, added] = known.try_emplace(std::move(label), static_cast<std::uint32_t>(texts_.size()));
      if (added) append_frame(texts_.emplace_back(), at->first);
      roots_[i] = at->second;
    }
  }

  void rank_texts() {
    std::vector<std::uint32_t> sorted(texts_.size());
    for (std::uint32_t i = 0; i < sorted.size(); ++i) sorted[i] = i;
    std::ranges::sort(sorted, {}, [this](std::uint32_t t) { return std::string_view(texts_[t]); });
    rank_.resize(texts_.size());
    std::uint32_t rank = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (i != 0 && texts_[sorted[i]] != texts_[sorted[i - 1]]) ++rank;
      rank_[sorted[i]] = rank;
    }
  }

  std::size_t size(std::size_t sample) const {
    return profile_->sample(sample).frames.size() + (roots_[sample] == kNone ? 0 : 1);
  }
  // The n-th text of a line.
  std::uint32_t text(std::span<const FrameId> frames, std::uint32_t root, std::size_t n) const {
    if (root == kNone) return frames[n];
    return n == 0 ? root : frames[n - 1];
  }

  int compare(std::size_t a, std::size_t b) const {
    const auto x = profile_->sample(a).frames, y = profile_->sample(b).frames;
    const std::size_t n = size(a), m = size(b);
    for (std::size_t i = 0; i < std::min(n, m); ++i) {
      const std::uint32_t l = rank_[text(x, roots_[a], i)], r = rank_[text(y, roots_[b], i)];
      if (l != r) return l < r ? -1 : 1;
    }
    return n < m ? -1 : n > m ? 1 : 0;
  }

  void line(std::string& out, std::size_t index, std::uint64_t value) const {
    const auto frames = profile_->sample(index).frames;
    const std::size_t n = size(index);
    for (std::size_t i = 0; i < n; ++i) {
      if (i != 0) out += ';';
      out += texts_[text(frames, roots_[index], i)];
    }
    fmt::format_to(std::back_inserter(out), " {}\n", value);
  }

  const Profile* profile_;
  std::vector<std::string> texts_;
  std::vector<std::uint32_t> roots_;  // of each sample: its root label's text, or kNone
  std::vector<std::uint32_t> rank_;   // of each text
  std::vector<std::size_t> order_;
};

}  // namespace

Result<void> write_folded(const Profile& profile, const FoldedStyle& style, Bytes& out) {
  return Lines(profile, style).write(out);
}

}  // namespace plumb::profile
