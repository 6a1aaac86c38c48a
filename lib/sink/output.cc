#include "sink/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace plumb {

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
  std::size_t done = 0;
  while (done < buffer_.size() && !closed_) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR && errno != EAGAIN) {
      const int error = errno;
      buffer_.clear();
      return Error{"cannot write to " + name_, errno_text(error), "what was traced before is there; the rest is lost"};
    }
  }
  buffer_.clear();
  return {};
}

}  // namespace plumb
