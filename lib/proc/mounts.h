// What is mounted, and where. Never assumed: a hybrid host has cgroup v2 at /sys/fs/cgroup/unified, and a
// chroot or a container made by hand may have nothing at all.
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

// /proc and /sys are there. Without them neither processes nor the kernel's types can be read; the error says
// which one is missing and how to mount it.
Result<void> need_system_mounts(const ProcFs& procfs);

// Where a file system of this type ("tracefs") is mounted first; empty: nowhere.
std::string mount_point_of(const ProcFs& procfs, std::string_view type);

}  // namespace plumb
