#include "run/baseline.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/say.h"
#include "run/report_files.h"

namespace plumb {
namespace {

void say_losses(const SavedLines& file, std::uint64_t lost) {
  if (lost != 0) say("plumb: {}: {} event{} lost there", file.name(), lost, lost == 1 ? "" : "s");
}

// Of a report the rows are gone.
Result<void> check_same_rows(const replay::SavedReport& report, const std::string& name,
                             const CommonOptions& options) {
  std::vector<std::string> where;
  for (const std::string& expression : options.where) where.push_back(without_credentials(expression));
  for (const auto& [option, same] :
       {std::pair{"--where", report.where == where}, {"--by", report.by == options.by}}) {
    if (same) continue;
    return Error{fmt::format("{} was made with another {}", name, option),
                 "a report keeps no rows to choose from",
                 "take the run's JSON lines as the baseline, or the same " + std::string(option)};
  }
  return {};
}

}  // namespace

Result<void> read_baseline(SavedLines& file, Stages& stages, Judge& judge, const CommonOptions& options) {
  auto report = file.report();
  if (!report) return std::move(report).error();
  if (*report) {
    if (auto r = check_same_rows(**report, file.name(), options); !r) return r;
    judge.set_base_elapsed((*report)->duration);
    say_losses(file, (*report)->lost);
    return judge.set_base((*report)->sketches);
  }
  const SavedLines::Out out{[&stages](const Row& row) { return stages.push_base(row); }, [](const Loss&) {}};
  if (auto r = file.read(out, [](int) { return true; }); !r) return r;
  judge.set_base_elapsed(file.span());
  if (!options.quiet) file.remark_on_lines();
  say_losses(file, file.lost() + file.broken());
  return {};
}

}  // namespace plumb
