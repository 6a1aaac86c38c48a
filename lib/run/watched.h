// The processes of --pid: that they are there, and whether they still are.
#pragma once

#include <poll.h>

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

class WatchedProcesses {
 public:
  // An Error names the first that does not exist. Where the kernel cannot watch processes (before 5.3), none is.
  static Result<WatchedProcesses> open(const std::vector<std::uint32_t>& pids);

  // Appends what to poll for.
  void append(std::vector<pollfd>& fds) const;
  // Takes note of what ended. True once all have.
  bool all_ended();

 private:
  std::vector<UniqueFd> running_;
  bool watching_ = false;
};

}  // namespace plumb
