#pragma once

#include <cstdint>
#include <vector>

#include "proc/process.h"

namespace plumb {

// The processes that run, in no order; none when /proc cannot be listed.
std::vector<std::uint32_t> process_ids(const ProcFs& procfs = system_procfs());

}  // namespace plumb
