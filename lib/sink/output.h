// Output: a file descriptor with one reused buffer. A reader that went away (EPIPE) is an ordinary end, not an error.
//
// A reader that does not keep up never holds up the trace: what it does not take waits, up to kMostWaiting bytes;
// whole lines beyond that are dropped and counted. Only the end waits for it, as long as it takes something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/stream.h"

namespace plumb {

class Output {
 public:
  // Standard output, not owned.
  static Output standard();
  // Creates or truncates `path`. A pipe that nobody reads yet is waited for, until `stop_fd` (not owned; -1: none)
  // polls readable. In a directory where everybody may write, another user's symbolic link is not followed.
  static Result<Output> file(const std::string& path, int stop_fd = -1);
  // Keeps everything in memory; for tests and for the bench.
  static Output memory();

  // The buffer that sinks append to; write_out() empties it.
  std::string& buffer() { return buffer_; }
  // Writes when kChunk bytes came since the last try. For the hot path: one test per event.
  Result<void> maybe_write() { return buffer_.size() >= tried_ + kChunk ? write_out() : Result<void>{}; }
  // Writes what the reader takes at once. A full disk or a failed device is an Error that names the file; what
  // waited is dropped then, so that memory stays bounded.
  Result<void> write_out();

  // The trace is over: from now on write_out() waits for the reader. One that takes nothing for kStallMs counts as
  // gone.
  void finish() { finishing_ = true; }

  bool is_terminal() const { return is_terminal_; }
  // What is written here goes to nobody's terminal: a regular file, /dev/null.
  bool is_stored() const { return is_stored_; }
  // The reader closed its end: stop quietly.
  bool closed() const { return closed_; }
  // Lines that were not written because the reader stalled; only ever grows.
  std::uint64_t dropped_lines() const { return dropped_lines_; }
  // The reader has taken what waited.
  bool caught_up() const { return tried_ == 0; }
  const std::string& name() const { return name_; }

  static constexpr std::size_t kChunk = 64 * 1024;
  static constexpr std::size_t kMostWaiting = std::size_t{4} << 20;
  static constexpr int kStallMs = 500;

 private:
  void look(int fd);
  void drop_beyond(std::size_t most);
  int write_some(std::size_t& written);

  Stream stream_;
  bool is_terminal_ = false;
  bool is_stored_ = false;
  bool closed_ = false;
  bool finishing_ = false;
  bool in_memory_ = false;
  std::size_t tried_ = 0;  // bytes at the front of the buffer that the reader did not take
  std::uint64_t dropped_lines_ = 0;
  std::string name_;
  std::string buffer_;
};

}  // namespace plumb
