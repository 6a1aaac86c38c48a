#include "flame/python_stack.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace plumb {
namespace {

constexpr const char* kEllipsis = "\xE2\x80\xA6";

// No address tells (the list was cut, or stack pointers are unknown): the entry is the next one of the loop's frames.
std::size_t next_loop(std::size_t from, std::size_t end, const std::vector<std::size_t>& taken,
                      const std::function<PythonPlace(std::size_t)>& place_of) {
  while (from < end && (taken[from] != PythonMerge::kNative || place_of(from) != PythonPlace::loop)) ++from;
  return from;
}

// The frames from `at` on that an address may lie in: one, or behind it those whose stack pointer is unknown too.
struct FrameRange {
  std::size_t first, end;
};

FrameRange frames_around(std::span<const std::uint64_t> stack_pointers, std::size_t at,
                         std::uint64_t address) {
  std::size_t next = at + 1;
  for (; next < stack_pointers.size() && stack_pointers[next] <= address; ++next) {
    if (stack_pointers[next] != 0) at = next;
  }
  return {at, next};
}

// Where in the native stack an entry is, looked for from one of its frames on.
struct Found {
  std::size_t at;
  bool taken;   // the frame `at` is free for it
  bool beyond;  // it is not in what was unwound: `at` may be the end
};

Found find_frame(std::uint64_t address, std::span<const std::uint64_t> stack_pointers, std::size_t at,
                 const std::vector<std::size_t>& taken,
                 const std::function<PythonPlace(std::size_t)>& place_of) {
  const std::size_t frames = stack_pointers.size();
  if (address == 0) {
    at = next_loop(at, frames, taken, place_of);
    return {at, at < frames, at == frames};
  }
  const FrameRange range = frames_around(stack_pointers, at, address);
  at = range.first;
  if (address < stack_pointers[at]) return {at, false, false};
  const bool unknown = stack_pointers[at] == 0 || range.end - at > 1;
  if (unknown) at = next_loop(at, range.end, taken, place_of);
  const bool beyond = range.end == frames && (!unknown || at == frames);
  return {at, !beyond && at < range.end && taken[at] == PythonMerge::kNative, beyond};
}

}  // namespace

std::vector<PythonEntry> python_entries(std::span<const std::uint64_t> words) {
  std::vector<PythonEntry> entries;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if ((words[i] & FLAME_PYTHON_FUNCTION) != 0) continue;
    entries.push_back({words[i], words.subspan(begin, i - begin)});
    begin = i + 1;
  }
  if (begin < words.size()) entries.push_back({0, words.subspan(begin)});
  return entries;
}

void merge_python(std::span<const PythonEntry> entries, std::span<const std::uint64_t> stack_pointers,
                  bool rooted, const std::function<PythonPlace(std::size_t)>& place_of, PythonMerge& out) {
  const std::size_t frames = stack_pointers.size();
  out.at.assign(frames, PythonMerge::kNative);
  out.outer.clear();
  out.unplaced = 0;
  out.beginning = 0;
  if (frames == 0) return;
  std::size_t at = 0;
  for (std::size_t e = 0; e < entries.size(); ++e) {
    if (entries[e].functions.empty()) continue;
    const Found found = find_frame(entries[e].address, stack_pointers, at, out.at, place_of);
    const PythonPlace place = found.taken ? place_of(found.at) : PythonPlace::none;
    if (place == PythonPlace::loop_begins && found.at == 0)
      ++out.beginning;
    else if (place != PythonPlace::none)
      out.at[found.at] = e;
    else if (found.beyond && !rooted)
      out.outer.push_back(e);
    else
      ++out.unplaced;
    at = std::min(found.at, frames - 1);
  }
}

std::string python_text(const flame_python_text& text, bool end) {
  const std::size_t kind = text.kind;
  if (kind != 1 && kind != 2 && kind != 4) return {};
  const std::size_t bytes = std::min<std::size_t>(text.bytes, sizeof text.text) / kind * kind;
  if (bytes == 0) return {};
  const bool cut = std::uint64_t{text.length} * kind > bytes;
  std::string out = cut && end ? kEllipsis : "";
  for (std::size_t i = 0; i < bytes; i += kind) {
    std::uint32_t c = 0;
    std::memcpy(&c, text.text + i, kind);  // little-endian, as this machine
    append_utf8(out, c);
  }
  if (cut && !end) out += kEllipsis;
  return out;
}

}  // namespace plumb
