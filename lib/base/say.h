// What plumb says to people: the one way to write on standard error, and that of commands which only print to write
// on standard output. tests/lint finds any other.
//
// Standard error may be full, closed, a terminal that is gone or a reader that hangs. None of that may cost a status,
// a verdict or the end of a run: nothing here throws, and what a reader does not take in kSayPatienceMs is dropped.
#pragma once

#include <fmt/format.h>

#include <mutex>
#include <string_view>
#include <utility>

#include "base/stream.h"

namespace plumb {

// How long a reader of standard error that takes nothing is waited for. Once: as long as it takes nothing, what
// comes after is dropped at once.
inline constexpr int kSayPatienceMs = 300;

// A stream of words to people; say() has one for standard error. Any thread.
class Speaker {
 public:
  // `fd` outlives the Speaker.
  explicit Speaker(int fd, int patience_ms = kSayPatienceMs)
      : stream_(Stream::of(fd)), patience_ms_(patience_ms) {}

  void text(std::string_view text) noexcept { write(text, patience_ms_); }
  // False when not all was taken at once.
  bool text_at_once(std::string_view text) noexcept { return write(text, 0); }

 private:
  bool write(std::string_view text, int patience_ms) noexcept;
  bool write_all(std::string_view text, int patience_ms) noexcept;

  std::mutex mutex_;
  Stream stream_;
  int patience_ms_;
  bool stalled_ = false;  // the last write was not taken in time
  bool cut_ = false;      // in the middle of a line
};

// Standard error's. Call it once before privileges drop: opening it anew may take them.
Speaker& standard_error() noexcept;

// Writes `text` as it is.
inline void say_text(std::string_view text) noexcept {
  standard_error().text(text);
}

// One line; its end is added.
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) noexcept {
  try {
    say_text(fmt::format(format, std::forward<Args>(args)...) + '\n');
  } catch (...) {  // no memory: better the words without the values than none
    const fmt::string_view plain = format;
    say_text({plain.data(), plain.size()});
  }
}

// All of `text` to standard output, however long the reader takes. False: errno says why it could not be.
bool print_text(std::string_view text) noexcept;

}  // namespace plumb
