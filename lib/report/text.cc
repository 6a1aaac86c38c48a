#include "report/text.h"

#include <fmt/format.h>

#include <ctime>

#include "base/text.h"

namespace plumb::report {

std::string printable(std::string_view text) {
  std::string out;
  append_printable(out, text);
  return out;
}

std::string time_text(UnixTime time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::time_t seconds = time.ns / kSecond - (time.ns % kSecond < 0 ? 1 : 0);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::vector<std::pair<std::string, std::string>> certificate(const Report& r) {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto add = [&rows](std::string name, std::string value) {
    rows.emplace_back(std::move(name), std::move(value));
  };
  add("events seen", fmt::to_string(r.seen));
  add("events kept", fmt::to_string(r.kept));
  add("filtered by --where", fmt::to_string(r.filtered));
  add("events lost", fmt::to_string(r.lost()));
  for (const Loss& loss : r.losses) add("lost: " + loss.why, fmt::to_string(loss.count));
  if (r.without_owner) add("kept without a known owner", fmt::to_string(*r.without_owner));
  if (r.unpaired) add("unpaired", fmt::to_string(*r.unpaired));
  if (!r.error.empty()) add("ended early", r.error);
  if (!r.source.empty()) add("read from", r.source);
  for (const Hook& hook : r.hooks)
    add("hook " + hook.name, hook.variant.empty() ? "none works here" : hook.variant);
  std::uint64_t ns = 0, runs = 0;
  for (const Program& p : r.programs) ns += p.ns, runs += p.runs;
  if (!r.programs.empty()) {
    add("BPF programs", fmt::format("{} runs, {:.3f} ms in all", runs, static_cast<double>(ns) / 1e6));
  }
  for (const Program& p : r.programs) {
    const double each = p.runs == 0 ? 0 : static_cast<double>(p.ns) / static_cast<double>(p.runs);
    add("BPF program " + p.name, fmt::format("{} runs, {:.0f} ns each", p.runs, each));
  }
  add("own CPU", fmt::format("{:.3f} s", r.cpu_seconds));
  add("peak memory", fmt::format("{:.1f} MB", r.memory_bytes / 1e6));
  add("started", time_text(r.started));
  add("duration", fmt::format("{:.3f} s", static_cast<double>(r.duration.ns) / 1e9));
  add("plumb", r.version);
  add("kernel", r.kernel);
  std::string command;
  for (const std::string& word : r.command) command += (command.empty() ? "" : " ") + word;
  add("command", command);
  return rows;
}

}  // namespace plumb::report
