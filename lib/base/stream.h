// A descriptor that is written without ever blocking, whatever stands behind it: a pipe that nobody reads, a
// terminal stopped by Ctrl-S, a socket whose reader hangs.
//
// Setting O_NONBLOCK on a descriptor that was inherited would change it for every program that shares it. So a pipe
// or a terminal is opened anew through /proc, and a socket, which cannot be, is written by send(MSG_DONTWAIT).
// Where /proc is missing a pipe is asked first and given no more than it takes at once.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/fd.h"

namespace plumb {

class Stream {
 public:
  Stream() = default;
  // `fd` stays the caller's and outlives the Stream.
  static Stream of(int fd);
  // Owns `fd`.
  static Stream owning(UniqueFd fd);

  // As write() does, but never blocks and raises no SIGPIPE of a socket: the bytes that were taken, or -1 and errno;
  // EAGAIN: none now, poll fd() for POLLOUT.
  ssize_t write(std::string_view bytes) const;
  int fd() const { return fd_; }

 private:
  enum class Way { plain, ask_first, send };

  UniqueFd owned_;
  int fd_ = -1;
  Way way_ = Way::plain;
};

}  // namespace plumb
