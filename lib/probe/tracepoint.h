// Tracepoints by name, for perf_event_open(2), which wants their numbers: tracefs has them. Where it is not mounted, it
// is mounted for plumb alone, at no place that anybody else could see, and gone with the last descriptor.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace plumb {

// What attr.config of a PERF_TYPE_TRACEPOINT is. "sched", "sched_switch".
Result<std::uint64_t> tracepoint_number(const std::string& category, const std::string& name);

}  // namespace plumb
