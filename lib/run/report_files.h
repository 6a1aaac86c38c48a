// --report: the files, opened before privileges drop and filled at the end; and what a GitHub Actions job is told.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "probe/features.h"
#include "query/judge.h"
#include "report/report.h"
#include "run/common_options.h"

namespace plumb {

class ReportFiles {
 public:
  // Empties the files: what stands there in the end is of this run. Under GITHUB_ACTIONS, with --fail-if or --report,
  // GITHUB_STEP_SUMMARY names one more, to which the Markdown is appended.
  static Result<ReportFiles> open(const CommonOptions& options);

  bool wanted() const { return !files_.empty() || summary_ || github_; }
  // Adds what is known of plumb and the machine, and writes every file.
  Result<void> write(report::Report report) const;

 private:
  struct File {
    std::string path;
    UniqueFd fd;
  };
  std::vector<File> files_;
  UniqueFd summary_;
  bool github_ = false;
  std::string command_line_;  // words, each ended by a NUL
};

// The verdicts as a report has them. `strict`: what is inconclusive fails.
// A report is published: what stands before the host of a URL is no matter of the public.
std::string without_credentials(std::string word);

report::Report describe_run(std::vector<Judged> verdicts, const Judge& judge, const CommonOptions& options);
void add_hooks(report::Report& report, const std::vector<HookChoice>& choices);

}  // namespace plumb
