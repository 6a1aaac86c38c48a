#include "sink/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace plumb {
namespace {

const char* hint_for(int error) {
  if (error == ENOSPC || error == EDQUOT) return "free some space, or choose another place with --output";
  if (error == EFBIG) return "raise the file size limit (ulimit -f), or choose another place with --output";
  return "choose another place with --output";
}

// open(2) without waiting for a pipe's reader: that is waited for here, where a signal ends it.
UniqueFd open_for_writing(const std::string& path, int stop_fd) {
  constexpr int kRetryMs = 50;
  while (true) {
    UniqueFd fd = open_unfooled(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd || errno != ENXIO) return fd;
    pollfd stop{stop_fd, POLLIN, 0};
    if (::poll(&stop, 1, kRetryMs) == 1 || stop_fd < 0) {
      errno = ENXIO;
      return fd;
    }
  }
}

// Leaves errno as it is.
bool is_link(const std::string& path) {
  const int error = errno;
  struct stat status {};
  const bool link = ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
  errno = error;
  return link;
}

}  // namespace

Output Output::standard() {
  Output o;
  o.look(STDOUT_FILENO);
  o.stream_ = Stream::of(STDOUT_FILENO);
  o.name_ = "standard output";
  return o;
}

Result<Output> Output::file(const std::string& path, int stop_fd) {
  Output o;
  UniqueFd fd = open_for_writing(path, stop_fd);
  if (!fd && errno == ENXIO) return Error{"cannot write " + path, "nobody reads it"};
  // EACCES where the kernel refuses it by itself (fs.protected_symlinks).
  if (!fd && (errno == ELOOP || errno == EACCES) && is_link(path)) {
    return Error{"cannot write " + path, "it is another user's symbolic link, where everybody may write",
                 "choose another file with --output"};
  }
  if (!fd) return Error{"cannot write " + path, errno_text(errno), "choose another file with --output"};
  o.look(fd.get());
  o.stream_ = Stream::owning(std::move(fd));
  o.name_ = path;
  return o;
}

void Output::look(int fd) {
  struct stat status {};
  is_terminal_ = ::isatty(fd) == 1;
  is_stored_ =
      ::fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || (S_ISCHR(status.st_mode) && !is_terminal_));
}

Output Output::memory() {
  Output o;
  o.in_memory_ = true;
  o.name_ = "memory";
  return o;
}

// Whole lines go, the newest; what the reader has begun to take stays.
void Output::drop_beyond(std::size_t most) {
  if (buffer_.size() <= most) return;
  const std::size_t end = buffer_.find('\n', most);
  if (end == std::string::npos || end + 1 == buffer_.size()) return;
  dropped_lines_ += static_cast<std::uint64_t>(
      std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(end) + 1, buffer_.end(), '\n'));
  buffer_.resize(end + 1);
}

// An errno; 0: all is written, EAGAIN: the reader takes no more now.
int Output::write_some(std::size_t& written) {
  while (written < buffer_.size()) {
    const ssize_t n = stream_.write(std::string_view(buffer_).substr(written));
    if (n >= 0) {
      written += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN && finishing_) {
      pollfd room{stream_.fd(), POLLOUT, 0};
      if (::poll(&room, 1, kStallMs) == 0) return EAGAIN;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

Result<void> Output::write_out() {
  if (in_memory_ || buffer_.empty()) return {};
  std::size_t written = 0;
  const int error = closed_ ? EPIPE : write_some(written);
  if (error == EAGAIN && !finishing_) {
    buffer_.erase(0, written);
    drop_beyond(kMostWaiting);
    tried_ = buffer_.size();
    return {};
  }
  if (error == EAGAIN) {
    dropped_lines_ += static_cast<std::uint64_t>(
        std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(written), buffer_.end(), '\n'));
  }
  closed_ = closed_ || error == EPIPE || error == EAGAIN;
  buffer_.clear();
  tried_ = 0;
  if (error == 0 || closed_) return {};
  return Error{"cannot write to " + name_, errno_text(error), hint_for(error)};
}

}  // namespace plumb
