#include "base/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>
#include <utility>

namespace plumb {
namespace {

UniqueFd reopen_nonblocking(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

}  // namespace

Stream Stream::of(int fd) {
  Stream s;
  s.fd_ = fd;
  struct stat status {};
  if (::fstat(fd, &status) != 0) return s;
  if (S_ISSOCK(status.st_mode)) s.way_ = Way::send;
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return s;  // a regular file never blocks
  s.owned_ = reopen_nonblocking(fd);
  if (s.owned_)
    s.fd_ = s.owned_.get();
  else
    s.way_ = Way::ask_first;
  return s;
}

Stream Stream::owning(UniqueFd fd) {
  Stream s = of(fd.get());
  if (!s.owned_) s.owned_ = std::move(fd);
  return s;
}

ssize_t Stream::write(std::string_view bytes) const {
  if (way_ == Way::send) return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (way_ == Way::ask_first) {
    pollfd room{fd_, POLLOUT, 0};
    if (::poll(&room, 1, 0) == 0) {
      errno = EAGAIN;
      return -1;
    }
    bytes = bytes.substr(0, PIPE_BUF);  // pipe(7): so much goes into a pipe that polls writable
  }
  return ::write(fd_, bytes.data(), bytes.size());
}

}  // namespace plumb
