// A bounded walk over the directories of a cgroup hierarchy.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "proc/process.h"

namespace plumb {

// Calls `visit(path)` for every directory below `mount`, with its path below the mount ("/system.slice"),
// parents first. A cgroup that goes away meanwhile is passed over. Returns the number of directories visited.
template <class F>
std::size_t walk_cgroups(const ProcFs& procfs, const std::string& mount, F visit) {
  constexpr std::size_t kMaxDirectories = 65536;
  constexpr std::size_t kMaxPath = 4096;  // PATH_MAX: deeper cannot be opened by its path anyway
  std::size_t visited = 0;
  std::vector<std::string> waiting{std::string{}};
  while (!waiting.empty() && visited < kMaxDirectories) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    const auto below = procfs.list_directories(mount + at);
    if (!below) continue;
    for (const std::string& name : *below) {
      if (visited >= kMaxDirectories) break;
      std::string path = at + "/" + name;
      if (mount.size() + path.size() >= kMaxPath) continue;
      ++visited;
      visit(std::as_const(path));
      waiting.push_back(std::move(path));
    }
  }
  return visited;
}

}  // namespace plumb
