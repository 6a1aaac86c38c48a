// How far a capture is, on standard error, while nothing else is to be seen: one line, redrawn in place.
//
//   drops 0:07 of 1:00, 0:53 left, 1234 events seen (Ctrl-C ends it)
//   no event for 5 s; 214 filtered out
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "run/common_options.h"
#include "sink/output.h"

namespace plumb {

struct ProgressFacts {
  std::string_view tool;
  Duration elapsed;
  std::optional<Duration> duration;    // --duration
  std::uint64_t seen = 0;              // by the hooks
  std::uint64_t kept = 0;              // of those that --count counts
  std::optional<std::uint64_t> count;  // --count
};

// "no event for 5 s; 214 filtered out"
std::string silence_text(Duration silence, std::uint64_t filtered);
// The line, at most `columns` wide, without its end.
std::string progress_text(const ProgressFacts& facts, std::size_t columns);

class Progress {
 public:
  // On when standard error is a terminal that nobody else writes to before the end: no live table, no command
  // under trace, no lines on their way to the terminal or into a pipe, whose reader may print them.
  Progress(const CommonOptions& options, const Output& output);
  ~Progress() { erase(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool on() const { return on_; }
  // Lines come to be seen, and none has for a while: says so, in place. `filtered`: events that an expression left out.
  void show_silence(Duration silence, std::uint64_t filtered);
  // Never waits for a terminal that is stopped (Ctrl-S), and leaves it alone when in the background.
  void show(const ProgressFacts& facts);
  // Before anything else is printed.
  void erase();

 private:
  void show_line(const std::string& text);

  bool on_ = false;
  bool says_silence_ = false;
  bool shown_ = false;
};

}  // namespace plumb
