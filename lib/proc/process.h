// What plumb knows of processes: container, pod and namespace by cgroup. Everything is read through ProcFs, a
// seam that tests stand in for, and cached by pid and start time, so that an entry survives the process's
// exit and is never given to another process that got the same pid.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace plumb {

// A process in time: the pid with the start (CLOCK_BOOTTIME, nanoseconds; 0: unknown).
struct ProcessKey {
  std::uint32_t pid = 0;
  std::uint64_t start_ns = 0;
  friend bool operator==(const ProcessKey&, const ProcessKey&) = default;
};

// Views into the cache: valid until the next call of ProcessCache::find.
struct ContainerNames {
  std::string_view
      container;  // the runtime's name where known, otherwise the first 12 digits of the id; empty: none
  std::string_view pod;         // Kubernetes pod name; empty: unknown or none
  std::string_view namespace_;  // Kubernetes namespace
};

// The seam: files below /proc and /sys/fs/cgroup.
class ProcFs {
 public:
  virtual ~ProcFs() = default;
  // The whole of a file by its absolute path (at most 1 MiB), or an Error.
  virtual Result<std::string> read(const std::string& path) const = 0;
  virtual Result<std::string> read_link(const std::string& path) const = 0;
  virtual Result<std::vector<std::string>> list(const std::string& directory) const = 0;
  // Inode number: a cgroup v2 directory's is its cgroup id, a namespace file's is the namespace's.
  virtual Result<std::uint64_t> inode(const std::string& path) const = 0;
};

const ProcFs& system_procfs();
// The same below another root, for recorded trees.
std::unique_ptr<ProcFs> procfs_below(std::string root);

class ProcessCache {
 public:
  explicit ProcessCache(const ProcFs& procfs = system_procfs());
  ~ProcessCache();

  // The container of a process. `cgroup_id` (0: unknown) finds it even when the process is gone. In the
  // steady state one hash look-up and no allocation. Bounded: at most kMaxEntries, oldest leave.
  ContainerNames find(const ProcessKey& key, std::uint64_t cgroup_id);

  static constexpr std::size_t kMaxEntries = 16384;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The mount point of the cgroup v2 hierarchy from /proc/mounts ("/sys/fs/cgroup", "/sys/fs/cgroup/unified").
Result<std::string> cgroup2_mount(const ProcFs& procfs = system_procfs());

// The cgroup v2 directories of a container given by name or by a prefix of its id (at least 3 digits). An
// Error lists near names, or says that nothing matches, or that the prefix is ambiguous.
Result<std::vector<std::string>> container_cgroups(std::string_view name_or_id,
                                                   const ProcFs& procfs = system_procfs());

// All containers found: name, id and cgroup path. For `doctor`.
struct Container {
  std::string id, name, runtime, cgroup, pod, namespace_;
};
std::vector<Container> list_containers(const ProcFs& procfs = system_procfs());

// The network namespace's inode number for `--netns PID-OR-PATH`.
Result<std::uint32_t> netns_inode(std::string_view pid_or_path, const ProcFs& procfs = system_procfs());

}  // namespace plumb
