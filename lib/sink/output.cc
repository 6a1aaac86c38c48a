#include "sink/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace plumb {
namespace {

// Our own non-blocking description of the pipe or terminal behind `fd`: a blocking write could not be left
// when the run is to end, and setting O_NONBLOCK on `fd` itself would change it for every program that shares
// it. A regular file never blocks; a socket cannot be opened anew. Those, and everything where /proc is
// missing, stay as they are.
UniqueFd reopen_nonblocking(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) return {};
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

const char* hint_for(int error) {
  if (error == ENOSPC || error == EDQUOT) return "free some space, or choose another place with --output";
  if (error == EFBIG) return "raise the file size limit (ulimit -f), or choose another place with --output";
  return "choose another place with --output";
}

}  // namespace

Output Output::standard() {
  Output o;
  o.owned_ = reopen_nonblocking(STDOUT_FILENO);
  o.fd_ = o.owned_ ? o.owned_.get() : STDOUT_FILENO;
  o.look();
  o.name_ = "standard output";
  return o;
}

Result<Output> Output::file(const std::string& path) {
  Output o;
  o.owned_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!o.owned_) {
    return Error{"cannot write " + path, errno_text(errno), "choose another file with --output"};
  }
  if (UniqueFd nonblocking = reopen_nonblocking(o.owned_.get())) o.owned_ = std::move(nonblocking);
  o.fd_ = o.owned_.get();
  o.look();
  o.name_ = path;
  return o;
}

void Output::look() {
  struct stat status {};
  is_terminal_ = ::isatty(fd_) == 1;
  is_stored_ =
      ::fstat(fd_, &status) == 0 && (S_ISREG(status.st_mode) || (S_ISCHR(status.st_mode) && !is_terminal_));
}

Output Output::memory() {
  Output o;
  o.name_ = "memory";
  return o;
}

// Waits instead of spinning; this is what bounds memory when a reader is slow. Meanwhile the kernel counts
// what finds no room. False: the run is to end, and nobody reads.
bool Output::wait_writable() {
  pollfd fds[] = {{fd_, POLLOUT, 0}, {stop_fd_, POLLIN, 0}};
  if (!stopping_) {
    if (::poll(fds, 2, -1) < 0) return errno == EINTR;
    if (fds[0].revents != 0) return true;
  }
  return ::poll(fds, 1, kStallMs) != 0;
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
      closed_ = !wait_writable();
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  buffer_.clear();
  if (error == 0) return {};
  return Error{"cannot write to " + name_, errno_text(error), hint_for(error)};
}

}  // namespace plumb
