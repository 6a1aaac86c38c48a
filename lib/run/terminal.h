// The terminal in full-screen use: alternate screen, keys without Enter, size. Whatever ends plumb (return,
// signal, crash) or stops it (Ctrl-Z), the terminal comes back as it was: the destructor restores it, and
// handlers do for fatal signals and SIGTSTP. Continued, plumb takes it over again.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/stream.h"

namespace plumb {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
  friend bool operator==(TerminalSize, TerminalSize) = default;
};

// Of the terminal behind `fd`, now; 80x24 where it does not say.
TerminalSize terminal_size(int fd);

// TERM says that the terminal has neither colours nor a cursor to move.
bool dumb_terminal();

class FullScreen {
 public:
  // Standard output must be a terminal; keys are read from standard input when that is one too.
  static Result<FullScreen> enter();
  FullScreen(FullScreen&& other) noexcept;
  FullScreen& operator=(FullScreen&&) = delete;
  ~FullScreen();

  // Asked anew each time, so that a resize needs no signal.
  TerminalSize size() const { return terminal_size(1); }
  // What was shown last is gone or does not fit any more: the terminal was resized, or plumb was stopped.
  bool stale() const;
  // The keys typed since the last call, as bytes; does not block.
  std::string keys();
  // A descriptor that polls readable when keys wait; -1 when there is no keyboard.
  int key_fd() const { return has_keys_ ? 0 : -1; }
  // Shows `frame` (lines separated by \n, no more of them than rows) in place of the last one, without
  // flicker.
  Result<void> show(std::string_view frame);

 private:
  FullScreen() = default;
  Result<void> write_rest();

  bool active_ = false;
  bool has_keys_ = false;
  TerminalSize shown_;  // the size for which the last frame was
  std::unique_ptr<Stream> out_;
  std::string buffer_;  // of the last frame, what the terminal did not take yet
};

}  // namespace plumb
