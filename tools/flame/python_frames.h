// Python functions in stacks: tells the kernel side which processes run a Python, keeps the names that it sends, and puts
// a sample's functions where the interpreter's loop stands in its native stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "flame/modules.h"
#include "flame/processes.h"
#include "flame/python_stack.h"
#include "flame/wire.h"
#include "profile/profile.h"
#include "symbol/unwind.h"

namespace plumb {

// Of samples of threads of processes that run a Python.
struct PythonCounts {
  std::uint64_t samples = 0;
  std::uint64_t early = 0;      // taken before the kernel side knew of the process
  std::uint64_t no_room = 0;    // of processes that the kernel side's table has no room for
  std::uint64_t nested = 0;     // taken while another one was on the same CPU
  std::uint64_t crowded = 0;    // of processes with more threads than are looked at
  std::uint64_t beginning = 0;  // in the loop's first instructions, without the innermost functions
  std::uint64_t foreign = 0;    // of threads that run no Python
  std::uint64_t cut = 0;        // with more functions than fit, or some that could not be read
  std::uint64_t unplaced = 0;   // with functions that have no place in the native stack
  std::uint64_t unnamed = 0;    // with functions whose name did not come
};

// The kernel side's table of processes.
class PythonTable {
 public:
  // FLAME_PYTHON_PROCESSES of them; nullptr: no Python functions are wanted.
  explicit PythonTable(flame_python_process* table = nullptr) : table_(table) {}

  bool wanted() const { return table_ != nullptr; }
  const flame_python_process* find(std::uint32_t pid) const;
  // Replaces what there was of this process. False: there is no room left.
  bool add(std::uint32_t pid, const flame_python_process& process);
  void remove(std::uint32_t pid);

 private:
  flame_python_process* at(std::uint32_t pid) const;

  flame_python_process* table_;
};

class PythonFrames {
 public:
  // All of them outlive it.
  PythonFrames(profile::Profile& profile, Modules& modules, Processes& processes)
      : profile_(profile), modules_(modules), processes_(processes) {}

  void use(flame_python_process* table) { table_ = PythonTable(table); }
  // The processes that run by now; of `pids` alone when there are any.
  void look_at_all(TargetFiles& files, std::span<const std::uint32_t> pids);
  // After `processes` had it.
  void on_event(const MappingEvent& event);
  // Of a sample's process: finds its interpreter.
  void look_at(ProcessCode& process);

  bool keep_name(std::span<const std::byte> record);

  // Finds out where a sample's functions stand among its native frames.
  void place(ProcessCode& process, const flame_sample& sample, std::span<const std::byte> words,
             const Unwound& native);
  // Of the last sample that was placed: appends the functions beyond its native stack, root first.
  void append_outer(std::vector<profile::FrameId>& out);
  // The same of those that stand for a native frame; false: it stands for itself.
  bool append_at(std::size_t native, std::vector<profile::FrameId>& out);

  const PythonCounts& counts() const { return counts_; }
  // Versions that cannot be read, and a sampled process with each.
  const std::map<std::string, std::uint32_t>& unread() const { return unread_; }

 private:
  struct Key {
    std::uint64_t number;
    std::uint32_t pid;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& k) const { return static_cast<std::size_t>(k.number >> 1 ^ k.pid); }
  };

  void append_entry(const PythonEntry& entry, std::vector<profile::FrameId>& out);
  PythonPlace place_of(ProcessCode& process, std::uint64_t address);
  void note_missing(ProcessCode& process);
  void count(const flame_sample& sample, bool empty);
  // Of the last sample that was placed. One that tells who woke a thread is none of those that are counted.
  PythonCounts& counting() { return waker_ ? of_wakers_ : counts_; }

  profile::Profile& profile_;
  Modules& modules_;
  Processes& processes_;
  PythonTable table_;
  std::unordered_map<Key, profile::FrameId, Hash> names_;
  std::vector<std::uint64_t> words_;
  std::vector<PythonEntry> entries_;
  PythonMerge merge_;
  bool placed_ = false, missed_name_ = false, waker_ = false;
  std::uint32_t pid_ = 0;
  PythonCounts counts_, of_wakers_;
  std::map<std::string, std::uint32_t> unread_;
};

}  // namespace plumb
