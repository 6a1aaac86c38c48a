#include "base/say.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <new>

namespace plumb {
namespace {

std::int64_t now_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

}  // namespace

bool Speaker::write(std::string_view text, int patience_ms) noexcept {
  const std::lock_guard lock(mutex_);
  if (text.empty()) return true;
  if (cut_ && !write_all("\n", 0)) return false;
  cut_ = false;
  return write_all(text, stalled_ ? 0 : patience_ms);
}

// A stream that fails for good (EPIPE, ENOSPC, EIO of a terminal that hung up) is asked again with the next text:
// that costs one system call.
bool Speaker::write_all(std::string_view text, int patience_ms) noexcept {
  const std::int64_t until = now_ms() + patience_ms;
  bool some = false;
  while (!text.empty()) {
    const ssize_t n = stream_.write(text);
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      some = some || n != 0;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    const std::int64_t left = until - now_ms();
    pollfd room{stream_.fd(), POLLOUT, 0};
    if (left > 0 && ::poll(&room, 1, static_cast<int>(left)) != 0) continue;
    stalled_ = stalled_ || patience_ms != 0;
    cut_ = cut_ || some;
    return false;
  }
  stalled_ = false;
  return true;
}

// Never destroyed: what runs at exit may still have something to say.
Speaker& standard_error() noexcept {
  alignas(Speaker) static std::array<std::byte, sizeof(Speaker)> place;
  static Speaker& speaker = *new (place.data()) Speaker(STDERR_FILENO);
  return speaker;
}

bool print_text(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd room{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace plumb
