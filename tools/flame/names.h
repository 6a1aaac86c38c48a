// Names for the addresses of a capture: each address of each file is looked up once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "flame/collector.h"
#include "flame/inline_reader.h"
#include "flame/kernel_names.h"
#include "profile/profile.h"
#include "symbol/elf_symbols.h"

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

// Names what the collector has, once at the end or, for a live table, again and again while it grows.
class FrameNames {
 public:
  // All of them outlive it.
  FrameNames(Collector& collector, TargetFiles& files, KernelNames& kernel, NameStyle style)
      : collector_(collector), files_(files), kernel_(kernel), style_(style) {}

  // Looks up what the collector got since the call before, and code of runtimes that has no name yet.
  void update();
  // What a frame of the collector's profile stands for, root first; nothing: it is left out.
  void append(const profile::Frame& frame, std::vector<profile::Frame>& out);
  // The collector's profile with names. Once, after update().
  NamedProfile whole();

 private:
  struct Named {
    std::string name;
    std::uint64_t start = 0;  // of the function
  };
  using Place = std::pair<profile::MappingId, std::uint64_t>;
  using Wanted = std::map<profile::MappingId, std::vector<WantedName>>;

  Wanted wanted_names();
  void name_process(profile::MappingId mapping, std::uint32_t pid, std::vector<WantedName>& wanted);
  void keep(profile::MappingId mapping, std::vector<WantedName>& wanted);
  void keep_inlined(profile::MappingId mapping, const Module& module, const std::vector<WantedName>& wanted);
  void append_inlined(const profile::Frame& original, std::vector<profile::Frame>& out) const;
  void append_kernel(const profile::Frame& frame, std::vector<profile::Frame>& out);

  Collector& collector_;
  TargetFiles& files_;
  KernelNames& kernel_;
  NameStyle style_;
  std::size_t asked_ = 0;  // frames of the profile that were looked up
  std::map<Place, Named> names_;
  std::map<Place, std::vector<SourceFrame>> inlined_;
  std::map<profile::MappingId, std::vector<std::uint64_t>> unnamed_;  // addresses in code of runtimes
  std::vector<std::string> unread_;
};

// "node: start it with --perf-basic-prof ...": how this runtime comes to write a map of its code; empty: plumb knows
// of none. By the program's path and the JIT's process id.
std::string jit_map_advice(const MissingJitMap& missing);

}  // namespace plumb
