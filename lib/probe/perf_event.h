// perf_event_open(2): counters of the CPUs that BPF programs run at.
#pragma once

#include <linux/perf_event.h>

#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

// The CPUs that run, by /sys/devices/system/cpu/online.
Result<std::vector<int>> online_cpus();

// `pid` -1: every process. Closed on exec.
Result<UniqueFd> open_perf_event(const perf_event_attr& attr, int pid, int cpu);

}  // namespace plumb
