#include "probe/filter.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "bpf/filter_config.h"
#include "probe/skeleton.h"

namespace plumb::detail {

static_assert(kMaxCgroups == FILTER_MAX_CGROUPS);

Result<void> size_set(bpf_map* map, std::size_t entries) {
  const auto size = static_cast<std::uint32_t>(std::max<std::size_t>(entries, 1));
  if (int e = bpf_map__set_max_entries(map, size); e != 0) return bpf_error("cannot size a filter map", -e);
  return {};
}

// The kernel's id of a cgroup is the inode number of its directory.
Result<void> cgroup_ids(std::span<unsigned long long> ids, const TaskFilter& f) {
  for (std::size_t i = 0; i < std::min(ids.size(), f.cgroups.size()); ++i) {
    struct stat st {};
    if (fstat(f.cgroups[i].get(), &st) != 0) return bpf_error("cannot read the id of a cgroup", errno);
    ids[i] = st.st_ino;
  }
  return {};
}

Result<void> fill_sets(bpf_map* pids, bpf_map* comms, bpf_map* cgroups, const TaskFilter& f) {
  const std::uint8_t present = 1;
  for (const std::uint32_t pid : f.pids) {
    if (bpf_map_update_elem(bpf_map__fd(pids), &pid, &present, BPF_ANY) != 0) {
      return bpf_error("cannot set the process filter", errno);
    }
  }
  for (const std::string& name : f.comms) {
    std::array<char, 16> key{};
    std::memcpy(key.data(), name.data(), std::min(name.size(), key.size() - 1));
    if (bpf_map_update_elem(bpf_map__fd(comms), key.data(), &present, BPF_ANY) != 0) {
      return bpf_error("cannot set the command name filter", errno);
    }
  }
  for (std::uint32_t i = 0; i < f.cgroups.size(); ++i) {
    const int fd = f.cgroups[i].get();
    if (bpf_map_update_elem(bpf_map__fd(cgroups), &i, &fd, BPF_ANY) != 0) {
      return bpf_error("cannot set the cgroup filter", errno);
    }
  }
  return {};
}

}  // namespace plumb::detail
