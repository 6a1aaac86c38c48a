#include "report/report.h"

#include <algorithm>

#include "report/text.h"

namespace plumb::report {

bool Report::failed() const {
  return std::ranges::any_of(verdicts, &Verdict::failed);
}

std::uint64_t Report::lost() const {
  std::uint64_t sum = 0;
  for (const Loss& loss : losses) sum += loss.count;
  return sum;
}

std::string_view outcome(const Verdict& verdict) {
  return verdict.inconclusive ? "inconclusive" : verdict.failed ? "failed" : "passed";
}

std::string_view loud_outcome(const Verdict& verdict) {
  if (verdict.failed) return verdict.inconclusive ? "FAILED (inconclusive)" : "FAILED";
  return outcome(verdict);
}

std::string measured_text(const Verdict& verdict) {
  std::string text;
  for (const Measured& m : verdict.measured) {
    if (!text.empty()) text += ", ";
    text += m.text + " = " + m.value;
    if (!m.limit.empty()) text += " (limit " + m.limit + ", n " + std::to_string(m.n) + ")";
    if (!m.interval.empty()) text += " (" + m.interval + ", n " + std::to_string(m.n) + ")";
  }
  if (verdict.inconclusive) {
    text += verdict.rows_needed
                ? "; about " + std::to_string(*verdict.rows_needed) + " rows in each run would tell"
                : "; more rows would not tell";
  }
  return text;
}

// A command of a GitHub Actions job ends with its line; of the text behind it only % and line ends need escaping.
std::string to_github_errors(const Report& report) {
  std::string out;
  for (const Verdict& v : report.verdicts) {
    if (!v.failed) continue;
    std::string message = printable(v.expression + ": " + (v.inconclusive ? "inconclusive: " : "") +
                                    (v.group.empty() ? "" : v.group + ": ") + measured_text(v));
    std::string escaped;
    for (const char c : message) escaped += c == '%' ? std::string("%25") : std::string(1, c);
    out += "::error title=plumb " + report.tool + "::" + escaped + '\n';
  }
  return out;
}

}  // namespace plumb::report
