// The path of a process that has ended, from what the kernel side kept when it was started (bpf/executable.bpf.h).
#pragma once

#include <cstdint>
#include <string>

struct executable;  // bpf/executable.h

namespace plumb {

// Of the process `pid` that started at `start_ns` (CLOCK_BOOTTIME). Empty: it did not start during the trace, or its path is
// not known. `map` is AnyProbe::executables().
std::string executable_path(int map, std::uint32_t pid, std::uint64_t start_ns);

// The path as /proc/PID/exe would have it, all links resolved, if the file is still the one that was started: its inode
// number proves it. Where the mount namespace is another than `own_mount_ns`, links cannot be followed, and it is the path
// that was given to execve(2). Empty: it says nothing (relative, a descriptor, another root, replaced since).
std::string resolved_executable(const executable& e, std::uint64_t own_mount_ns);

}  // namespace plumb
