// Samples to stacks: walks each sample's user stack by what its process has mapped, and adds it to the profile.
// Names come at the end (names.h): until then a frame is an address in a file.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "flame/files.h"
#include "flame/kernel_names.h"
#include "flame/modules.h"
#include "flame/options.h"
#include "flame/processes.h"
#include "flame/python_frames.h"
#include "flame/wire.h"
#include "probe/mapping_events.h"
#include "profile/profile.h"
#include "symbol/unwind.h"

namespace plumb {

// How user stacks ended, by UnwindEnd.
struct UnwindCounts {
  std::array<std::uint64_t, 8> by_end{};
  std::uint64_t samples = 0;
  std::uint64_t without_process = 0;  // the process was gone before its mappings were known
};

// Of code that a runtime made while it ran.
inline constexpr std::string_view kJitPath = "[jit]";

class Collector {
 public:
  // All of them outlive it.
  Collector(const FlameOptions& options, TargetFiles& files, KernelNames& kernel);

  // Keeps a record of the kernel side until settle(). False: it is none.
  bool keep(std::span<const std::byte> record);
  // Merges the samples with what is told of mappings, in the order of time, and adds them to the profile.
  void settle(MappingEvents& events);

  profile::Profile& profile() { return profile_; }
  Modules& modules() { return modules_; }
  const UnwindCounts& counts() const { return counts_; }
  PythonFrames& python() { return python_; }
  // The process that a mapping of JIT code belongs to; 0: it is none.
  std::uint32_t jit_process(profile::MappingId id) const;
  // What was found of a process when its first sample in JIT code came; it may be gone at the end.
  struct JitProcess {
    profile::MappingId mapping = profile::kNoMapping;
    std::uint32_t uid = 0;  // who runs it
    std::uint32_t own_number = 0;
    UniqueFd map;              // of names, if it was there by then
    UniqueFd dump;             // the same as jitdump, when the process has mapped one
    std::size_t mappings = 0;  // that were searched for a dump
    std::string program;       // the path of what it runs
  };
  JitProcess& jit(std::uint32_t pid) { return jits_.at(pid); }

 private:
  struct Kept {
    std::size_t offset, size;
    std::uint64_t time_ns;
  };
  struct KeptEvent {
    MappingEvent event;
    std::string path;
  };
  // --wakers: a wait by its thread and when it began.
  struct Wait {
    std::uint64_t since = 0;
    std::uint32_t tid = 0;
    friend auto operator<=>(const Wait&, const Wait&) = default;
  };
  struct Waited {
    Wait wait;
    flame_sample sample;
    std::vector<profile::FrameId> frames;  // root first
  };

  // `behind`: what stands behind it in its record, the stack and Python functions.
  void add(const flame_sample& sample, std::span<const std::byte> behind);
  void add_to_profile(const flame_sample& sample);
  void add_user(const flame_sample& sample, std::span<const std::byte> behind);
  void walk_user(const flame_sample& sample, std::span<const std::byte> behind);
  void add_kernel(const flame_sample& sample, std::size_t depth);
  void keep_waker(const flame_sample& sample, std::span<const std::byte> behind);
  std::size_t interrupt_frames(std::span<const __u64> kernel);
  void append_waker(const Wait& wait);
  void add_waits();
  profile::FrameId remark(std::string_view text);
  void add_frame(ProcessCode& process, std::uint64_t address, std::uint32_t uid);
  JitProcess& jit_process(ProcessCode& process, std::uint32_t uid);

  const FlameOptions& options_;
  TargetFiles& files_;
  profile::Profile profile_;
  Processes processes_;
  Modules modules_;
  PythonFrames python_;
  UnwindCounts counts_;
  std::vector<std::byte> bytes_;
  std::vector<Kept> kept_;
  std::vector<KeptEvent> events_;
  Unwound unwound_;
  std::vector<profile::FrameId> frames_;
  std::map<std::uint32_t, JitProcess> jits_;  // by process id
  profile::MappingId kernel_ = profile::kNoMapping;
  KernelNames& symbols_;
  // With --wakers samples wait until all of a drain was looked at: by time, who wakes comes after who waits.
  std::vector<Waited> waited_;
  std::map<Wait, std::vector<profile::FrameId>>
      wakers_;  // innermost first; of waits whose sample is still to come
};

}  // namespace plumb
