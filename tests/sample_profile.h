// Profiles for tests, and what writers make of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "profile/profile.h"
#include "profile/read.h"
#include "profile/write.h"

namespace plumb::profile {

// All that a writer gives, in one string.
template <class Write>
std::string written(const Write& write) {
  std::string all;
  Bytes out([&](std::string_view part) {
    all += part;
    return Result<void>{};
  });
  const auto result = write(out);
  return result.ok() ? all : "error: " + result.error().what;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Adds a stack of user frames.
inline void add_stack(Profile& p, const std::vector<std::string>& names, std::uint64_t value,
                      std::string_view comm = {}) {
  std::vector<FrameId> frames;
  for (const std::string& name : names) frames.push_back(p.frame({.function = name}));
  p.add({.frames = frames, .count = value, .value = value, .comm = comm});
}

// One of everything: kinds, inlining, lines, mappings, threads, what has no name.
inline Profile everything() {
  Profile p({.event = "cpu-clock",
             .unit = Unit::nanoseconds,
             .period = 10'101'010,
             .start = {1'795'833'660'123'456'789},
             .duration = {2'500'000'000},
             .host = "build-7",
             .command = "plumb flame -d 2.5s -- xz -9 \"a b\""});
  p.quality() = {.lost = 3, .rooted = 17, .truncated = 1};
  const MappingId xz = p.mapping(
                      {.path = "/usr/bin/xz", .build_id = "c0ffee01", .start = 0x4000, .limit = 0x9000}),
                  libc = p.mapping({.path = "/lib/x86_64-linux-gnu/libc.so.6", .build_id = "beef"}),
                  kernel = p.mapping({.path = "[kernel.kallsyms]"});
  const FrameId start = p.frame({.function = "_start", .mapping = xz, .address = 0x4100});
  const FrameId main =
      p.frame({.function = "main", .file = "xz/main.c", .line = 211, .mapping = xz, .address = 0x4200});
  const FrameId inner = p.frame({.function = "min<int>",
                                 .file = "algo.h",
                                 .line = 7,
                                 .kind = FrameKind::inlined,
                                 .mapping = xz,
                                 .address = 0x4200});
  const FrameId nameless = p.frame({.mapping = libc, .address = 0x1234});
  const FrameId write = p.frame(
      {.function = "vfs_write", .kind = FrameKind::kernel, .mapping = kernel, .address = 0xffffffff81000010});
  const FrameId jit =
      p.frame({.function = "LazyCompile:~fib app.js:1", .kind = FrameKind::jit, .address = 0x7f0000001000});
  const FrameId python =
      p.frame({.function = "main", .file = "app.py", .line = 3, .kind = FrameKind::python});
  const FrameId note = p.frame({.function = "[idle]", .kind = FrameKind::note});
  const auto add = [&](const std::vector<FrameId>& frames, std::uint64_t count, std::string_view comm,
                       std::uint32_t tid) {
    p.add({.frames = frames,
           .count = count,
           .value = count * 10'101'010,
           .comm = comm,
           .pid = tid == 0 ? 0 : 100U,
           .tid = tid});
  };
  add({start, main, inner}, 7, "xz", 101);
  add({start, main, inner, nameless, write}, 4, "xz", 102);
  add({start, main}, 2, "xz", 101);
  add({start, python, jit}, 5, "node", 101);
  add({note}, 2, "", 0);
  return p;
}

// Names that try to leave their place in each format.
inline Profile hostile() {
  Profile p(
      {.event = "<b>&amp;", .host = "h\"'\x1b[31m", .command = "]]></script><script>alert(1)</script>"});
  add_stack(p, {"a;b", "c\nd 7", "e\x1b[31m", "</title><script>alert(1)</script>"}, 1, "co;mm\n5");
  add_stack(p, {"\xff\xfe broken", "\xEF\xBF\xBF", "]]>", "\xE2\x80\xAE override"}, 2);
  add_stack(p, {std::string("nul\0inside", 10), R"(\"quoted\")", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"}, 3);
  add_stack(p, {std::string(5000, 'x')}, 4);
  return p;
}

}  // namespace plumb::profile
