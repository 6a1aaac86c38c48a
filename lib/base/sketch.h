// What an aggregate of a run is computed from, kept beyond the run: in a report, so that it can be a baseline.
#pragma once

#include <cstdint>
#include <string>

#include "base/quantiles.h"
#include "base/stretches.h"

namespace plumb {

struct Sketch {
  std::string group;       // of --by, as verdicts name it; empty: all rows
  std::string of;          // "latency_ms": the field's values; "count"; "share(outcome!=established)"
  std::uint64_t rows = 0;  // that could have counted
  std::uint64_t held = 0;  // for which the condition held
  Quantiles values;        // of a field
  Stretches stretches;  // the same in the order in which they came; of a condition: 1 where it held, else 0
};

}  // namespace plumb
