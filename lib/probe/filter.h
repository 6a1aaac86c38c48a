// The user side of bpf/filter.bpf.h: fills the constants before load and the sets before attach.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

// As many cgroups as bpf/filter_config.h has room for; lib/probe/filter.cc checks that the two agree.
inline constexpr std::size_t kMaxCgroups = 16;
// Room for a command and its descendants alive at one time; one more is counted as lost.
inline constexpr std::size_t kFollowedProcesses = 16384;

// What the shared filter options ask for, resolved (containers to cgroups, paths to descriptors).
struct TaskFilter {
  std::vector<std::uint32_t> pids;
  std::vector<std::string> comms;  // each at most 15 bytes; longer ones are cut as the kernel cuts them
  std::optional<std::uint32_t> uid;
  std::vector<UniqueFd> cgroups;  // open directories of cgroup v2
  std::uint32_t netns = 0;        // inode number; 0: all
  bool follow = false;            // descendants of `pids` too, those to come included
  std::uint32_t self_pid = 0;     // plumb's own, when what it does itself is not to be traced
};

// Before load: sizes the maps, sets `filter`. Skel is any skeleton whose program includes filter.bpf.h.
template <class Skel>
Result<void> prepare_filter(Skel& skel, const TaskFilter& f);
// After load, before attach: fills the maps.
template <class Skel>
Result<void> fill_filter(Skel& skel, const TaskFilter& f);

namespace detail {
Result<void> size_set(bpf_map* map, std::size_t entries);
Result<void> cgroup_ids(std::span<unsigned long long> ids, const TaskFilter& f);
Result<void> fill_sets(bpf_map* pids, bpf_map* comms, bpf_map* cgroups, const TaskFilter& f);
}  // namespace detail

template <class Skel>
Result<void> prepare_filter(Skel& skel, const TaskFilter& f) {
  auto& config = skel.rodata->filter;
  config.by_pid = f.pids.empty() ? 0 : 1;
  config.by_comm = f.comms.empty() ? 0 : 1;
  config.by_uid = f.uid ? 1 : 0;
  config.uid = f.uid.value_or(0);
  config.cgroups = static_cast<std::uint8_t>(f.cgroups.size());
  config.netns = f.netns;
  config.self_pid = f.self_pid;
  if (auto r = detail::cgroup_ids(config.cgroup_ids, f); !r) return r;
  const std::size_t pids = f.follow ? kFollowedProcesses : f.pids.size();
  if (auto r = detail::size_set(skel.maps.filter_pids, pids); !r) return r;
  bpf_program__set_autoload(skel.progs.follow_fork, f.follow);
  bpf_program__set_autoload(skel.progs.follow_exit, f.follow);
  return detail::size_set(skel.maps.filter_comms, f.comms.size());
}

template <class Skel>
Result<void> fill_filter(Skel& skel, const TaskFilter& f) {
  return detail::fill_sets(skel.maps.filter_pids, skel.maps.filter_comms, skel.maps.filter_cgroups, f);
}

}  // namespace plumb
