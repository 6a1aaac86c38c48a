#include "sink/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace plumb {
namespace {

// A descriptor may be shared with a program that made it non-blocking (a terminal, a socket): wait instead of spinning.
// Waiting here is what bounds memory when a reader is slow; meanwhile the kernel counts what finds no room.
void wait_writable(int fd) {
  pollfd p{fd, POLLOUT, 0};
  (void)::poll(&p, 1, -1);  // EINTR or an error: the next write tells
}

const char* hint_for(int error) {
  if (error == ENOSPC || error == EDQUOT) return "free some space, or choose another place with --output";
  if (error == EFBIG) return "raise the file size limit (ulimit -f), or choose another place with --output";
  return "choose another place with --output";
}

}  // namespace

Output Output::standard() {
  Output o;
  o.fd_ = STDOUT_FILENO;
  o.is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  o.name_ = "standard output";
  return o;
}

Result<Output> Output::file(const std::string& path) {
  Output o;
  o.owned_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!o.owned_) {
    return Error{"cannot write " + path, errno_text(errno), "choose another file with --output"};
  }
  o.fd_ = o.owned_.get();
  o.is_terminal_ = ::isatty(o.fd_) == 1;
  o.name_ = path;
  return o;
}

Output Output::memory() {
  Output o;
  o.name_ = "memory";
  return o;
}

Result<void> Output::write_out() {
  if (fd_ < 0 || buffer_.empty()) return {};
  std::string_view rest = buffer_;
  int error = 0;
  while (!rest.empty() && !closed_ && error == 0) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno == EAGAIN) {
      wait_writable(fd_);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  buffer_.clear();
  if (error == 0) return {};
  return Error{"cannot write to " + name_, errno_text(error), hint_for(error)};
}

}  // namespace plumb
