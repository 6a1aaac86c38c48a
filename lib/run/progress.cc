#include "run/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/say.h"
#include "run/outputs.h"
#include "run/tally.h"
#include "run/terminal.h"

namespace plumb {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSilence = 5 * kSecond;
constexpr std::string_view kEraseLine = "\r\033[K";

// 0:07, 12:34, 1:02:03
std::string clock_text(std::int64_t seconds) {
  const std::int64_t minutes = seconds / 60;
  if (minutes < 60) return fmt::format("{}:{:02}", minutes, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, seconds % 60);
}

bool silent_until_the_end(const CommonOptions& options, const Output& output) {
  if (options.top || !options.command.empty()) return false;
  return options.summary || wants_stacks(options) || output.is_stored();
}

// What a process in the background writes lands in the shell's line.
bool in_background() {
  const pid_t foreground = ::tcgetpgrp(STDERR_FILENO);
  return foreground > 0 && foreground != ::getpgrp();
}

bool write_now(std::string_view text) {
  return !in_background() && standard_error().text_at_once(text);
}

}  // namespace

std::string silence_text(Duration silence, std::uint64_t filtered) {
  std::string text = fmt::format("no event for {}", elapsed_text({silence.ns / kSecond * kSecond}));
  if (filtered != 0) text += fmt::format("; {} filtered out", filtered);
  return text;
}

std::string progress_text(const ProgressFacts& facts, std::size_t columns) {
  const std::int64_t elapsed = facts.elapsed.ns / kSecond;
  std::string text = fmt::format("{} {}", facts.tool, clock_text(elapsed));
  if (facts.duration) {
    const std::int64_t all = (facts.duration->ns + kSecond - 1) / kSecond;
    text +=
        fmt::format(" of {}, {} left", clock_text(all), clock_text(std::max<std::int64_t>(all - elapsed, 0)));
  }
  if (facts.count) {
    text += fmt::format(", {} of {} events", facts.kept, *facts.count);
  } else {
    text += fmt::format(", {} event{} seen", facts.seen, facts.seen == 1 ? "" : "s");
  }
  text += " (Ctrl-C ends it)";
  return text.substr(0, columns);
}

Progress::Progress(const CommonOptions& options, const Output& output)
    : on_(!options.quiet && ::isatty(STDERR_FILENO) == 1 && !dumb_terminal() &&
          silent_until_the_end(options, output)),
      says_silence_(!options.quiet && ::isatty(STDERR_FILENO) == 1 && !dumb_terminal() && !options.top &&
                    options.command.empty() && !silent_until_the_end(options, output)) {}

void Progress::show(const ProgressFacts& facts) {
  if (on_) show_line(progress_text(facts, std::string::npos));
}

void Progress::show_silence(Duration silence, std::uint64_t filtered) {
  if (says_silence_ && silence.ns >= kSilence) show_line(silence_text(silence, filtered));
}

void Progress::show_line(const std::string& text) {
  // The last column stays free: a cursor behind it would stand on the next line in some terminals.
  const std::size_t columns = terminal_size(STDERR_FILENO).columns;
  if (write_now(std::string(kEraseLine) + text.substr(0, columns - 1))) shown_ = true;
}

void Progress::erase() {
  if (shown_) write_now(kEraseLine);
  shown_ = false;
}

}  // namespace plumb
