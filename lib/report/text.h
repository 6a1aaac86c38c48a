// What the writers of a report share.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "report/report.h"

namespace plumb::report {

// Control bytes, broken UTF-8 and what reorders a line, escaped.
std::string printable(std::string_view text);
// RFC 3339 in UTC, to the second.
std::string time_text(UnixTime time);
// "failed", "passed" or "inconclusive".
std::string_view outcome(const Verdict& verdict);
// The same with whether it made the run fail: "FAILED", "FAILED (inconclusive)" with --strict, "passed", "inconclusive".
std::string_view loud_outcome(const Verdict& verdict);
// "p99(latency) = 12.3 ms (limit 10.0 ms, n 4711), count = 4711"
std::string measured_text(const Verdict& verdict);
// The certificate as names and values.
std::vector<std::pair<std::string, std::string>> certificate(const Report& report);

}  // namespace plumb::report
