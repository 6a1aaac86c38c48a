// The counters that mean loss, in every network namespace with processes: what grew since the last look.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "proc/net_counters.h"

namespace plumb {

struct CounterGrowth {
  std::uint32_t netns = 0;  // 0: of the whole machine
  std::string_view counter, dev, hint;
  std::uint64_t delta = 0;
};

class LossCounters {
 public:
  // Takes the counters to compare with. `netns` (0: all) is the only namespace wanted. Needs CAP_SYS_ADMIN
  // for the queueing disciplines of other namespaces.
  explicit LossCounters(std::uint32_t netns);

  // Reads all, so that little is missed of a namespace that ends. Cheap to call: reads about once a second, less often
  // where reading takes more than 2 % of the time, and down to every 4 s while nothing is lost: neither a counter has
  // grown nor `seen`, the number of events.
  void poll(BootTime now, std::uint64_t seen);
  // Reads all and tells what grew since the last call.
  void tell(const std::function<void(const CounterGrowth&)>& sink);

 private:
  // Whether a counter has grown or is new.
  bool read();
  bool take(std::uint32_t netns, Counters counters);

  std::uint32_t only_;
  QdiscCounters qdiscs_;
  // Namespaces that were there when the trace began. One that comes later counts from 0.
  std::vector<std::uint32_t> older_;
  std::map<std::uint32_t, Counters> told_, newest_;
  std::uint64_t next_poll_ns_ = 0, pause_ns_ = 0, seen_ = 0;
};

}  // namespace plumb
