// What code each sampled process has where: a snapshot when its first sample comes, and what the kernel tells of
// mappings, forks, execs and exits from then on. Of processes that began while plumb ran all is known, so that they can
// be gone when their samples are looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "probe/mapping_events.h"

namespace plumb {

// Executable memory of a process.
struct CodeMapping {
  std::uint64_t start = 0, end = 0;
  std::uint64_t offset = 0;  // in the file
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t inode = 0;   // 0: no file
  std::string path;          // empty: no file
  std::int32_t module = -1;  // of Modules, once it was looked up
};

struct ProcessCode {
  std::uint32_t pid = 0;
  bool complete = false;  // known from the exec on, or by a snapshot
  bool ended = false;
  std::size_t searched_for_python = 0;  // so many mappings
  bool runs_python = false;             // one that can be read
  std::string unread_python;            // the version of one that cannot
  std::vector<CodeMapping> mappings;    // by start, without overlaps

  CodeMapping* find(std::uint64_t address);
  // Replaces what was there.
  void map(CodeMapping mapping);
};

class Processes {
 public:
  // Reads /proc/PID/maps; empty: the process is gone.
  using ReadMaps = std::string (*)(void* context, std::uint32_t pid);
  Processes(ReadMaps read, void* context) : read_(read), context_(context) {}

  // In the order of time.
  void on_event(const MappingEvent& event);
  // The process that a sample is of.
  ProcessCode& sampled(std::uint32_t pid);
  // Forgets processes that ended. Call when all samples of theirs have been looked at.
  void forget_ended();
  std::size_t size() const { return processes_.size(); }

 private:
  void on_fork(const MappingEvent& event);
  void snapshot(ProcessCode& process);

  ReadMaps read_;
  void* context_;
  std::unordered_map<std::uint32_t, ProcessCode> processes_;
};

}  // namespace plumb
