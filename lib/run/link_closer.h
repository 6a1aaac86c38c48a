// Takes probes off beside the run. The kernel lets go of a uprobe only after a grace period of its RCU, 20 to 60 ms for
// each link: too long for whoever drains a ring buffer. Grace periods pass together when several threads wait.
#pragma once

#include <thread>
#include <vector>

#include "probe/attacher.h"

namespace plumb {

class LinkCloser {
 public:
  LinkCloser() = default;
  LinkCloser(LinkCloser&&) = default;
  LinkCloser& operator=(LinkCloser&&) = delete;
  // Waits until all probes are off.
  ~LinkCloser() { wait(); }

  // Returns at once, unless links of the last call are still being closed.
  void close(std::vector<UprobeLink> links);
  void wait();

 private:
  std::vector<std::thread> threads_;
};

}  // namespace plumb
