// Where the cgroup hierarchies are mounted. Never assumed: a hybrid host has cgroup v2 at
// /sys/fs/cgroup/unified.
#pragma once

#include <string>

#include "proc/process.h"

namespace plumb {

struct CgroupMounts {
  std::string v2;  // empty: not mounted
  // One v1 hierarchy in which runtimes put their containers (name=systemd, else any); empty: no v1 at all.
  std::string v1;
};

Result<CgroupMounts> cgroup_mounts(const ProcFs& procfs);

// Where a file system of this type ("tracefs") is mounted first; empty: nowhere.
std::string mount_point_of(const ProcFs& procfs, std::string_view type);

}  // namespace plumb
