#include "run/verdicts.h"

#include <fmt/format.h>

#include <map>
#include <string>

#include "base/say.h"

namespace plumb {
namespace {

constexpr std::size_t kGroupsSaid = 20;

struct Groups {
  std::size_t failed = 0, open = 0;
};

std::string_view word_for(const Verdict& v, bool strict) {
  if (v.inconclusive) return strict ? "FAILED (inconclusive)" : "inconclusive";
  return v.holds ? "FAILED" : "passed";
}

}  // namespace

bool say_verdicts(const std::vector<Judged>& verdicts, const Judge& judge, const CommonOptions& options) {
  bool fails = false;
  std::map<std::string, Groups> groups;  // by expression
  for (const Judged& j : verdicts) {
    const Verdict& v = j.verdict;
    Groups& count = groups[j.expression];
    count.failed += v.holds ? 1 : 0;
    count.open += v.inconclusive ? 1 : 0;
    fails = fails || v.holds || (v.inconclusive && options.strict);
    const bool tells = v.holds || v.inconclusive;
    if (options.quiet && !tells) continue;
    if (!j.group.empty() && (!tells || count.failed + count.open > kGroupsSaid)) continue;
    say("plumb: {}: {}: {}{}{}", word_for(v, options.strict), j.expression, j.group,
        j.group.empty() ? "" : ": ", v.text());
  }
  if (!judge.by_group() || judge.groups() == 0) return fails;
  for (const auto& [expression, count] : groups) {
    if (options.quiet && count.failed + count.open == 0) continue;
    const bool bad = count.failed != 0 || (count.open != 0 && options.strict);
    say("plumb: {}: {}: in {} of {} groups{}", bad ? "FAILED" : "passed", expression, count.failed,
        judge.groups(), count.open == 0 ? std::string{} : fmt::format(", inconclusive in {}", count.open));
  }
  return fails;
}

}  // namespace plumb
