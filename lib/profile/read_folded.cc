#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"
#include "profile/read.h"

namespace plumb::profile {
namespace {

struct Mark {
  std::string_view ending;
  FrameKind kind;
};
// The first four are stackcollapse-perf.pl's and ours; perf's own inlined frames read "name (inlined)".
constexpr Mark kMarks[] = {{"_[k]", FrameKind::kernel},
                           {"_[j]", FrameKind::jit},
                           {"_[i]", FrameKind::inlined},
                           {"_[p]", FrameKind::python},
                           {" (inlined)", FrameKind::inlined}};

std::optional<std::uint64_t> hex(std::string_view text) {
  if (!text.starts_with("0x") || text.size() < 3) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The stack part and the number of a line, or nothing. flamegraph.pl allows decimals; they are rounded down.
std::optional<std::pair<std::string_view, std::uint64_t>> split(std::string_view line) {
  const std::size_t blank = line.find_last_of(" \t");
  if (blank == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(blank + 1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{}) return std::nullopt;
  digits.remove_prefix(static_cast<std::size_t>(end - digits.data()));
  if (!digits.empty() &&
      (digits.front() != '.' || digits.find_first_not_of("0123456789", 1) != std::string_view::npos)) {
    return std::nullopt;
  }
  std::string_view stack = line.substr(0, blank);
  while (!stack.empty() && (stack.back() == ' ' || stack.back() == '\t')) stack.remove_suffix(1);
  return std::pair(stack, value);
}

class FoldedReader {
 public:
  explicit FoldedReader(const Limits& limits) : profile_({}, limits), depth_(limits.depth) {}

  Result<Profile> read(std::string_view text) {
    std::size_t number = 0;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      ++number;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
      const auto parts = split(line);
      if (!parts) return no_stack(line, number);
      add(parts->first, parts->second);
    }
    return std::move(profile_);
  }

 private:
  static Error no_stack(std::string_view line, std::size_t number) {
    std::string shown;
    append_printable(shown, line.substr(0, 60));
    if (line.size() > 60) shown += "...";
    return {.what = fmt::format("line {} is no folded stack: \"{}\"", number, shown),
            .why = "a line is frames joined by ';', a blank, and how many samples have them",
            .hint = "folded stacks come from plumb flame -f folded, or perf script | stackcollapse-perf.pl"};
  }

  void add(std::string_view stack, std::uint64_t value) {
    if (value == 0) return;
    frames_.clear();
    while (!stack.empty() && frames_.size() < depth_) {
      const std::size_t end = stack.find(';');
      frames_.push_back(frame(stack.substr(0, end)));
      stack.remove_prefix(end == std::string_view::npos ? stack.size() : end + 1);
    }
    profile_.add({.frames = frames_, .count = value, .value = value});
  }

  // What stands before a ';' or the number may be set off by blanks: they belong to no name and hide no mark.
  static std::string_view without_blanks(std::string_view name) {
    return name.substr(0, name.find_last_not_of(" \t") + 1);
  }

  FrameId frame(std::string_view name) {
    Frame f;
    name = without_blanks(name);
    for (const Mark& mark : kMarks) {
      if (!name.ends_with(mark.ending) || name.size() == mark.ending.size()) continue;
      name = without_blanks(name.substr(0, name.size() - mark.ending.size()));
      f.kind = mark.kind;
      break;
    }
    // "[idle]" is a remark; "[libc.so.6]" is what stackcollapse-perf.pl makes of a frame without a name.
    const bool bracketed = name.starts_with('[') && name.ends_with(']');
    if (f.kind == FrameKind::user && bracketed && name.find(".so") == std::string_view::npos)
      f.kind = FrameKind::note;
    f.function = name;
    unsymbolised(name, f);
    return profile_.frame(f);
  }

  // "libfoo.so+0x1234", "0x1234" and "[unknown]": what display_name() makes of a frame without a name. A function's own
  // offset (perf script -F +symoff) looks like the first; a module has a dot or brackets.
  void unsymbolised(std::string_view name, Frame& f) {
    const std::size_t plus = name.rfind("+0x");
    if (name == "[unknown]") {
      f.function = {};
      f.kind = f.kind == FrameKind::note ? FrameKind::user : f.kind;
    } else if (const auto address = hex(name)) {
      f.function = {};
      f.address = *address;
    } else if (plus != std::string_view::npos && plus != 0) {
      const auto offset = hex(name.substr(plus + 1));
      const std::string_view module = name.substr(0, plus);
      if (!offset || (!module.starts_with('[') && module.find(".so") == std::string_view::npos)) return;
      f.mapping = profile_.mapping({.path = module});
      if (f.mapping == kNoMapping) return;
      f.function = {};
      f.address = *offset;
    }
  }

  Profile profile_;
  std::size_t depth_;
  std::vector<FrameId> frames_;
};

}  // namespace

Result<Profile> read_folded(std::span<const std::byte> bytes, const ReadLimits& limits) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return FoldedReader(limits.profile).read(text);
}

}  // namespace plumb::profile
