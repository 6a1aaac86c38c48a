// A report in JSON (--report FILE.json), read back as the baseline of a later run: what its verdicts were computed from.
//
// Pure: no I/O, no clock. A file is outside bytes: bounded, fuzzed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/sketch.h"

namespace plumb::replay {

struct SavedReport {
  std::string tool;
  Duration duration;
  std::uint64_t lost = 0;
  std::vector<std::string> where, by;
  std::vector<Sketch> sketches;
};

inline constexpr std::size_t kLargestReport = std::size_t{64} << 20;

// Whether the text is the start of a report, rather than of JSON lines.
bool begins_report(std::string_view text);
Result<SavedReport> read_report(std::string_view text);

}  // namespace plumb::replay
