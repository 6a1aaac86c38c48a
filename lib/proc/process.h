// What plumb knows of processes: container, pod and namespace by cgroup, and the executable. Everything is read through ProcFs, a
// seam that tests stand in for, and cached by pid and start time, so that an entry survives the process's
// exit and is never given to another process that got the same pid.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
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

// What a process calls itself for OpenTelemetry: attributes of its resource.
struct ResourceAttribute {
  std::string key;
  std::string value;
  friend bool operator==(const ResourceAttribute&, const ResourceAttribute&) = default;
};
using ProcessResource = std::vector<ResourceAttribute>;

// Views into the cache: valid until the next call of ProcessCache::find.
struct ProcessNames {
  // The runtime's name where known (in a pod: the container's name in the pod), otherwise the first 12 digits
  // of the id; empty: not in a container, or not known.
  std::string_view container;
  std::string_view pod;         // Kubernetes pod name; empty: unknown or none
  std::string_view namespace_;  // Kubernetes namespace
  std::string_view exe = {};    // path of its executable, as in its own mount namespace; empty: not known
  std::span<const ResourceAttribute> resource = {};  // what read_resources() found
};

// The seam: files below /proc, /sys/fs/cgroup and the container runtimes' own. Nothing here blocks or follows
// more than it is asked to: reads and lists are bounded, and what is not a regular file is not read.
class ProcFs {
 public:
  static constexpr std::size_t kMaxRead = std::size_t{1} << 20;
  static constexpr std::size_t kMaxList = 65536;

  virtual ~ProcFs() = default;
  // A file by its absolute path, or an Error. At most the first kMaxRead bytes: the mount table of a host
  // with thousands of containers is longer, and what matters stands at its start.
  virtual Result<std::string> read(const std::string& path) const = 0;
  virtual Result<std::string> read_link(const std::string& path) const = 0;
  // Names in a directory, without . and .., in no order, at most kMaxList.
  virtual Result<std::vector<std::string>> list(const std::string& directory) const = 0;
  // Of these only the directories; links are not followed.
  virtual Result<std::vector<std::string>> list_directories(const std::string& directory) const = 0;
  // Inode number: a cgroup v2 directory's is its cgroup id, a namespace file's is the namespace's.
  virtual Result<std::uint64_t> inode(const std::string& path) const = 0;
  // The inode number of a network namespace's file; an Error when the file is something else (a name below
  // /run/netns whose namespace is gone is an ordinary empty file).
  virtual Result<std::uint64_t> network_namespace(const std::string& path) const { return inode(path); }
  // So many bytes of a process's memory, or an Error: it may be gone, privileges may not do, or nothing is mapped there.
  virtual Result<std::string> read_memory(std::uint32_t pid, std::uint64_t address, std::size_t size) const;
  // The path below `mount` of the cgroup v2 directory with this id, without a walk over the tree. An Error
  // where that cannot be asked (it takes CAP_DAC_READ_SEARCH) or the cgroup is gone.
  virtual Result<std::string> cgroup_path(const std::string& mount, std::uint64_t id) const;
};

const ProcFs& system_procfs();
// The same below another root, for recorded trees.
std::unique_ptr<ProcFs> procfs_below(std::string root);

class ProcessCache {
 public:
  // `procfs` must outlive the cache. `max_entries` is for tests.
  explicit ProcessCache(const ProcFs& procfs = system_procfs(), std::size_t max_entries = kMaxEntries);
  ~ProcessCache();

  // The container and the executable of a process; the executable of one that lives when it is first
  // asked for, or that ask_of_gone() knows.
  // `cgroup_id` (0: unknown) finds it even when the process is gone; a process
  // that moved to another cgroup is looked up anew. Without it, /proc/PID/cgroup is read, and believed only
  // when the process that has the pid now is the one that started at `start_ns`. In the steady state one hash
  // look-up and no allocation. Bounded: at most kMaxEntries; those not asked for lately leave (the clock
  // algorithm).
  ProcessNames find(const ProcessKey& key, std::uint64_t cgroup_id);

  // Who may know the executable of a process that is gone; empty: it does not. Asked once for each.
  using ExeOfGone = std::function<std::string(const ProcessKey&)>;
  void ask_of_gone(ExeOfGone exe);

  // From here on the context that each process publishes of itself (otel_context.h) is read, if that is allowed, and
  // without one the environment, of a process that lives when it is first asked for; the two functions, which must not
  // throw, say what resource that makes. A context may come later or change: it is read again when the process is asked
  // for the second time, the fourth, the eighth and so on. Neither is kept.
  struct ResourceReaders {
    ProcessResource (*of_context)(std::string_view payload) = nullptr;
    ProcessResource (*of_environment)(std::string_view environment) = nullptr;
  };
  void read_resources(ResourceReaders readers);

  std::size_t size() const;

  static constexpr std::size_t kMaxEntries = 16384;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The mount point of the cgroup v2 hierarchy from /proc/mounts ("/sys/fs/cgroup", "/sys/fs/cgroup/unified").
Result<std::string> cgroup2_mount(const ProcFs& procfs = system_procfs());

// The cgroup v2 directories (absolute) of a container given by name or by a prefix of its id (at least 3
// digits). In Kubernetes a name that several pods use is told apart as POD/NAME or NAMESPACE/POD/NAME. An
// Error lists near names, or says that nothing matches, or that the name is ambiguous.
Result<std::vector<std::string>> container_cgroups(std::string_view name_or_id,
                                                   const ProcFs& procfs = system_procfs());

// All containers found, by walking the cgroup v2 tree and, for runtimes that use cgroup v1 alone, one v1
// tree. A container with several directories at the top (rare) stands there once for each. For `doctor`.
struct Container {
  std::string id;    // 64 hexadecimal digits; of systemd-nspawn and LXC the name
  std::string name;  // as ProcessNames::container
  std::string
      runtime;  // "docker", "containerd", "cri-o", "podman", "systemd-nspawn", "lxc", "oci" (not known which)
  std::string cgroup;      // its directory, absolute
  std::string pod;         // Kubernetes pod name; empty: unknown or none
  std::string namespace_;  // Kubernetes namespace
  bool v2 = true;          // false: only in cgroup v1, where the kernel cannot filter by it
};
std::vector<Container> list_containers(const ProcFs& procfs = system_procfs());

// Whether process ids here are those of BPF programs, which number processes as the kernel's first PID
// namespace does. In a container they usually are not. Unknown: true.
bool in_initial_pid_namespace(const ProcFs& procfs);

// The network namespace's inode number for `--netns PID-OR-PATH`: a process id, a path, or a name as of
// ip-netns(8).
Result<std::uint32_t> netns_inode(std::string_view pid_or_path, const ProcFs& procfs = system_procfs());

}  // namespace plumb
