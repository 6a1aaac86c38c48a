#include "run/stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>

#include "base/say.h"
#include "proc/process.h"
#include "run/confine.h"
#include "run/tally.h"

namespace plumb {
namespace {

// Not ru_maxrss, which begins with what the process that started this one had at most. 0: not known.
double peak_megabytes() {
  const auto status = system_procfs().read("/proc/self/status");
  constexpr std::string_view kPeak = "VmHWM:";
  const std::size_t at = status ? status->find(kPeak) : std::string::npos;
  return at == std::string::npos ? 0 : std::strtod(status->c_str() + at + kPeak.size(), nullptr) / 1024;
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

}  // namespace

std::string ending_text(const EventCounts& counts, bool in_kernel, Duration elapsed) {
  std::string text = counts.kinds;
  if (text.empty()) text = in_kernel && counts.seen != 0 ? fmt::format("{} seen", counts.seen) : "no events";
  text += fmt::format(", {} lost in {}", counts.lost, elapsed_text(elapsed));
  if (counts.filtered != 0) text += fmt::format("; {} filtered out", counts.filtered);
  return text;
}

void say_lost(std::uint64_t events, std::string_view why) {
  if (events != 0) say("plumb: {} event{} lost: {}", events, events == 1 ? "" : "s", why);
}

void say_not_written(std::uint64_t lines, std::string_view where, std::string_view why) {
  if (lines != 0) say("plumb: {} line{} not written to {}: {}", lines, lines == 1 ? "" : "s", where, why);
}

void RunStats::enable() {
  accounting_.reset(bpf_enable_stats(BPF_STATS_RUN_TIME));
}

void RunStats::collect(const bpf_object* object) {
  if (!accounting_ || object == nullptr) return;
  bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(object, program)) != nullptr) {
    const int fd = bpf_program__fd(program);
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) != 0) continue;
    programs_.push_back({bpf_program__name(program), info.run_cnt, info.run_time_ns});
  }
}

void RunStats::print(std::string_view tool, const EventCounts& counts) const {
  say("{}: {} events seen, {} kept{}{}{}, {} filtered out, {} lost", tool, counts.seen, counts.kept,
      counts.kinds.empty() ? "" : " (", counts.kinds, counts.kinds.empty() ? "" : ")", counts.filtered,
      counts.lost);
  for (const Program& p : programs_) {
    const double each = p.runs == 0 ? 0 : static_cast<double>(p.ns) / static_cast<double>(p.runs);
    say("  {:<28} {:>12} runs {:>9.0f} ns each", p.name, p.runs, each);
  }
  if (!accounting_) say("  runs of BPF programs: not counted, which takes CAP_SYS_ADMIN");
  say("  capabilities kept: {}", capability_names());
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  say("  own CPU {:.3f} s user, {:.3f} s system; peak memory {:.1f} MB", seconds(usage.ru_utime),
      seconds(usage.ru_stime), peak_megabytes());
}

}  // namespace plumb
