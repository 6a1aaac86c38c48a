// Names for the addresses of a capture, once it is over: each address of each file is looked up once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flame/collector.h"
#include "flame/inline_reader.h"
#include "profile/profile.h"
#include "symbol/kallsyms.h"

namespace plumb {

// Code that a runtime made and that nothing names: what the user can do about it.
struct MissingJitMap {
  std::uint32_t pid = 0;
  std::uint64_t frames = 0;  // distinct ones
  std::string path;          // of the program
};

struct NamedProfile {
  profile::Profile profile;
  std::vector<MissingJitMap> missing;
  std::vector<std::string> unread;  // paths whose debug information could not be read to its end
};

struct NameStyle {
  bool raw = false;                 // as they stand in the files
  InlineReader* inlined = nullptr;  // for what is inlined, and lines; nullptr: neither
  bool hide_probe =
      false;  // leave out the kernel's way into plumb's own programs, which is in each stack of theirs
};

NamedProfile name_frames(Collector& collector, TargetFiles& files, KernelSymbols& kernel, NameStyle style);

// "node: start it with --perf-basic-prof ...": how this runtime comes to write a map of its code; empty: plumb knows
// of none. By the program's path and the JIT's process id.
std::string jit_map_advice(const MissingJitMap& missing);

}  // namespace plumb
