#include "cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace plumb {
namespace {

constexpr std::string_view kEnter =
    "\033[?1049h\033[?25l\033[H\033[2J";  // alternate screen, no cursor, clear
constexpr std::string_view kLeave = "\033[0m\033[?25h\033[?1049l";
constexpr std::string_view kHome = "\033[H";
constexpr std::string_view kClearRestOfLine = "\033[K";
constexpr std::string_view kClearBelow = "\033[J";

// What the handler of fatal signals needs; set while a FullScreen lives. A handler can reach globals only.
termios saved_keys;
volatile std::sig_atomic_t restore_keys = 0;
volatile std::sig_atomic_t on_screen = 0;

// Async-signal-safe: write(2) and tcsetattr(3) are.
void restore() {
  if (on_screen == 0) return;
  on_screen = 0;
  [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, kLeave.data(), kLeave.size());
  if (restore_keys != 0) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_keys);
}

void on_fatal(int number) {
  restore();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGTERM, SIGINT, SIGHUP};

Result<void> write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd out{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&out, 1, -1);
    } else if (errno != EINTR) {
      return Error{"cannot write to the terminal", errno_text(errno)};
    }
  }
  return {};
}

}  // namespace

TerminalSize terminal_size(int fd) {
  winsize w{};
  if (::ioctl(fd, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return {};
  return {w.ws_col, w.ws_row};
}

bool dumb_terminal() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) == "dumb";
}

Result<FullScreen> FullScreen::enter() {
  if (::isatty(STDOUT_FILENO) != 1) return Error{"standard output is no terminal", "a live table needs one"};
  FullScreen screen;
  screen.has_keys_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &saved_keys) == 0;
  if (screen.has_keys_) {
    termios raw = saved_keys;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C stays a signal
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  restore_keys = screen.has_keys_ ? 1 : 0;
  on_screen = 1;
  screen.active_ = true;
  struct sigaction action {};
  action.sa_handler = on_fatal;
  for (const int s : kFatal) ::sigaction(s, &action, nullptr);
  if (auto r = write_all(kEnter); !r) return std::move(r).error();
  return screen;
}

FullScreen::FullScreen(FullScreen&& other) noexcept
    : active_(std::exchange(other.active_, false)),
      has_keys_(other.has_keys_),
      buffer_(std::move(other.buffer_)) {}

FullScreen::~FullScreen() {
  if (!active_) return;
  restore();
  for (const int s : kFatal) std::signal(s, SIG_DFL);
}

std::string FullScreen::keys() {
  std::string typed;
  char bytes[64];
  while (has_keys_) {
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n <= 0) break;
    typed.append(bytes, static_cast<std::size_t>(n));
    if (static_cast<std::size_t>(n) < sizeof bytes) break;
  }
  return typed;
}

Result<void> FullScreen::show(std::string_view frame) {
  buffer_.assign(kHome);
  while (!frame.empty()) {
    const std::size_t end = frame.find('\n');
    buffer_.append(frame.substr(0, end)).append(kClearRestOfLine);
    if (end == std::string_view::npos) break;
    frame.remove_prefix(end + 1);
    if (!frame.empty()) buffer_ += "\r\n";
  }
  buffer_.append(kClearBelow);
  return write_all(buffer_);
}

}  // namespace plumb
