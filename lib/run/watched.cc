#include "run/watched.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace plumb {

Result<WatchedProcesses> WatchedProcesses::open(const std::vector<std::uint32_t>& pids) {
  WatchedProcesses watched;
  for (const std::uint32_t pid : pids) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // always close-on-exec
    if (!fd && errno == ESRCH) {
      return Error{fmt::format("no process {}", pid), "--pid takes the ids of processes that run now",
                   "to trace a program from its start: plumb TOOL -- PROGRAM"};
    }
    // A thread that leads no process: EINVAL, since 6.9 ENOENT.
    if (!fd && (errno == EINVAL || errno == ENOENT)) {
      return Error{fmt::format("{} is a thread", pid), "--pid takes the ids of processes"};
    }
    if (!fd) return WatchedProcesses{};
    watched.running_.push_back(std::move(fd));
  }
  watched.watching_ = !pids.empty();
  return watched;
}

void WatchedProcesses::append(std::vector<pollfd>& fds) const {
  for (const UniqueFd& fd : running_) fds.push_back({fd.get(), POLLIN, 0});
}

bool WatchedProcesses::all_ended() {
  std::erase_if(running_, [](const UniqueFd& fd) {
    pollfd ended{fd.get(), POLLIN, 0};
    return ::poll(&ended, 1, 0) == 1;
  });
  return watching_ && running_.empty();
}

}  // namespace plumb
