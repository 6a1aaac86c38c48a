// Output: a file descriptor with one reused buffer. A reader that went away (EPIPE) is an ordinary end, not
// an error.
#pragma once

#include <cstddef>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

class Output {
 public:
  // Standard output, not owned.
  static Output standard();
  // Creates or truncates `path`.
  static Result<Output> file(const std::string& path);
  // Keeps everything in memory; for tests and for the bench.
  static Output memory();

  // The buffer that sinks append to; write_out() empties it.
  std::string& buffer() { return buffer_; }
  // Writes when at least kChunk bytes wait. For the hot path: one test per event.
  Result<void> maybe_write() { return buffer_.size() >= kChunk ? write_out() : Result<void>{}; }
  // Writes all that waits, blocking as long as the reader takes. A full disk or a failed device is an Error
  // that names the file; what waited is dropped then, so that memory stays bounded.
  Result<void> write_out();

  // How a paused pager is kept from holding up Ctrl-C: once the run is to end, a reader that takes nothing
  // for kStallMs counts as gone. stop_when_readable() names a descriptor (not owned) that says so during a
  // write, stop_requested() says so from now on.
  void stop_when_readable(int fd) { stop_fd_ = fd; }
  void stop_requested() { stopping_ = true; }

  bool is_terminal() const { return is_terminal_; }
  // What is written here goes to nobody's terminal: a regular file, /dev/null.
  bool is_stored() const { return is_stored_; }
  // The reader closed its end: stop quietly.
  bool closed() const { return closed_; }
  const std::string& name() const { return name_; }

  static constexpr std::size_t kChunk = 64 * 1024;
  static constexpr int kStallMs = 500;

 private:
  void look();
  bool wait_writable();

  UniqueFd owned_;
  int fd_ = -1;
  int stop_fd_ = -1;
  bool is_terminal_ = false;
  bool is_stored_ = false;
  bool closed_ = false;
  bool stopping_ = false;
  std::string name_;
  std::string buffer_;
};

}  // namespace plumb
