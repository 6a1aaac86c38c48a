#include "flame/python_stack.h"

#include <algorithm>
#include <cstring>

namespace plumb {
namespace {

constexpr char32_t kReplacement = 0xfffd;
constexpr const char* kEllipsis = "\xE2\x80\xA6";

void append_character(std::string& out, char32_t c) {
  if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = kReplacement;
  const auto byte = [&](char32_t bits) { out += static_cast<char>(bits); };
  const auto follow = [&](unsigned shift) { byte(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | c >> 6);
    follow(0);
  } else if (c < 0x10000) {
    byte(0xe0 | c >> 12);
    follow(6);
    follow(0);
  } else {
    byte(0xf0 | c >> 18);
    follow(12);
    follow(6);
    follow(0);
  }
}

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
    const std::uint64_t address = entries[e].address;
    bool taken = false, beyond = false;
    if (address == 0) {
      at = next_loop(at, frames, out.at, place_of);
      beyond = at == frames;
      taken = !beyond;
    } else {
      const FrameRange range = frames_around(stack_pointers, at, address);
      at = range.first;
      if (address >= stack_pointers[at]) {
        const bool unknown = stack_pointers[at] == 0 || range.end - at > 1;
        if (unknown) at = next_loop(at, range.end, out.at, place_of);
        beyond = range.end == frames && (!unknown || at == frames);
        taken = !beyond && at < range.end && out.at[at] == PythonMerge::kNative;
      }
    }
    if (taken) {
      const PythonPlace place = place_of(at);
      if (place == PythonPlace::loop_begins && at == 0) {
        ++out.beginning;
        continue;
      }
      taken = place != PythonPlace::none;
    }
    if (taken)
      out.at[at] = e;
    else if (beyond && !rooted)
      out.outer.push_back(e);
    else
      ++out.unplaced;
    if (at >= frames) at = frames - 1;
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
    append_character(out, c);
  }
  if (cut && !end) out += kEllipsis;
  return out;
}

}  // namespace plumb
