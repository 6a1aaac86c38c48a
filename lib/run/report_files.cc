#include "run/report_files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/say.h"
#include "version.h"

namespace plumb {
namespace {

Result<void> write_all(int fd, std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{"cannot write " + std::string(name), errno_text(errno)};
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string text_of(const report::Report& report, std::string_view path) {
  if (path.ends_with(".xml")) return to_junit(report);
  if (path.ends_with(".json")) return to_json(report);
  return to_markdown(report);
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string(value);
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

}  // namespace

std::string without_credentials(std::string word) {
  const std::size_t scheme = word.find("://");
  if (scheme == std::string::npos) return word;
  const std::size_t begin = scheme + 3;
  const std::size_t at = std::string_view(word).substr(0, word.find('/', begin)).rfind('@');
  if (at == std::string::npos || at < begin) return word;
  return word.replace(begin, at - begin, "...");
}

Result<ReportFiles> ReportFiles::open(const CommonOptions& options) {
  ReportFiles files;
  for (const std::string& path : options.reports) {
    UniqueFd fd = open_unfooled(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    if (!fd) return Error{"cannot write " + path, errno_text(errno), "choose another file with --report"};
    files.files_.push_back({path, std::move(fd)});
  }
  files.github_ =
      environment("GITHUB_ACTIONS") == "true" && (!options.reports.empty() || !options.fail_if.empty());
  const std::string summary = files.github_ ? environment("GITHUB_STEP_SUMMARY") : std::string{};
  if (!summary.empty()) {
    files.summary_ = open_unfooled(summary, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC);
    if (!files.summary_) say("plumb: cannot write GITHUB_STEP_SUMMARY: {}", errno_text(errno));
  }
  if (files.wanted()) {
    std::ifstream words("/proc/self/cmdline", std::ios::binary);
    files.command_line_.assign(std::istreambuf_iterator<char>(words), {});
  }
  return files;
}

Result<void> ReportFiles::write(report::Report report) const {
  report.version = kVersion;
  for (std::string& where : report.where) where = without_credentials(std::move(where));
  utsname machine{};
  if (::uname(&machine) == 0) report.kernel = machine.release;
  for (std::string_view rest = command_line_; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find('\0'));
    report.command.push_back(without_credentials(std::string(word)));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  report.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  report.memory_bytes = static_cast<double>(usage.ru_maxrss) * 1024;
  if (github_) say_text(to_github_errors(report));
  if (summary_) {
    if (auto r = write_all(summary_.get(), to_markdown(report), "GITHUB_STEP_SUMMARY"); !r) return r;
  }
  for (const File& file : files_) {
    if (auto r = write_all(file.fd.get(), text_of(report, file.path), file.path); !r) return r;
  }
  return {};
}

report::Report describe_run(std::vector<Judged> verdicts, const Judge& judge, const CommonOptions& options) {
  report::Report report;
  report.where = options.where;
  report.by = options.by;
  report.sketches = judge.sketches();
  for (Judged& j : verdicts) {
    report::Verdict v{std::move(j.expression), std::move(j.group)};
    v.failed = j.verdict.holds || (j.verdict.inconclusive && options.strict);
    v.inconclusive = j.verdict.inconclusive;
    v.rows_needed = j.verdict.rows_needed;
    for (Measured& m : j.verdict.measured) {
      v.measured.push_back({std::move(m.text), std::move(m.value), m.number, std::move(m.limit),
                            m.limit_number, m.rows, m.low, m.high, std::move(m.interval)});
    }
    report.verdicts.push_back(std::move(v));
  }
  return report;
}

void add_hooks(report::Report& report, const std::vector<HookChoice>& choices) {
  for (const HookChoice& choice : choices) {
    if (choice.hook == nullptr || !choice.hook->wanted) continue;
    report.hooks.push_back({std::string(choice.hook->name),
                            choice.variant == nullptr ? std::string{} : std::string(choice.variant->name)});
  }
}

}  // namespace plumb
