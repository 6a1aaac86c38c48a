#include "run/terminal.h"

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

constexpr int kPatienceMs = 100;
constexpr std::size_t kMostKeys = 4096;  // of one look: what is pasted comes in several

// What the signal handlers need; set while a FullScreen lives. A handler can reach globals only.
termios saved_keys;
termios raw_keys;
const Stream* volatile screen_stream = nullptr;
volatile std::sig_atomic_t restore_keys = 0;
volatile std::sig_atomic_t on_screen = 0;
volatile std::sig_atomic_t taken_anew = 0;  // since the last frame

// To the terminal, unless it takes no output: then its screen is left as it is. Async-signal-safe.
void write_now(std::string_view bytes) {
  const Stream* out = screen_stream;
  if (out == nullptr) return;
  pollfd room{out->fd(), POLLOUT, 0};
  for (int tries = 0; tries < 3 && !bytes.empty(); ++tries) {
    const ssize_t n = out->write(bytes);
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && (errno != EAGAIN || ::poll(&room, 1, kPatienceMs) <= 0)) return;
  }
}

// Async-signal-safe, as restore() is: write() and tcsetattr() are.
void take_over() {
  if (restore_keys != 0) ::tcsetattr(STDIN_FILENO, TCSANOW, &raw_keys);
  write_now(kEnter);
  on_screen = 1;
  taken_anew = 1;
}

void restore() {
  if (on_screen == 0) return;
  on_screen = 0;
  write_now(kLeave);
  if (restore_keys != 0) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_keys);
}

void on_fatal(int number) {
  restore();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void on_signal(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(number, &action, nullptr);
}

// Ctrl-Z. The signal is raised again with its default effect, which stops here until SIGCONT; where the
// kernel discards it (no shell is there that could continue us) it is as if nothing had happened.
void on_stop(int number) {
  const int error = errno;
  restore();
  on_signal(number, SIG_DFL);
  sigset_t stop;
  sigset_t before;
  sigemptyset(&stop);
  sigaddset(&stop, number);
  std::raise(number);
  ::sigprocmask(SIG_UNBLOCK, &stop, &before);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  on_signal(number, on_stop);
  take_over();
  errno = error;
}

// After a SIGSTOP, which cannot be caught: a shell has used the terminal meanwhile.
void on_continue(int) {
  const int error = errno;
  if (on_screen != 0) take_over();
  errno = error;
}

constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGTERM, SIGINT, SIGHUP};

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
    raw_keys = saved_keys;
    raw_keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C stays a signal
    raw_keys.c_cc[VMIN] =
        1;  // 0 reads as the end of input to a shell that finds the terminal so, after SIGSTOP
    raw_keys.c_cc[VTIME] = 0;
  }
  restore_keys = screen.has_keys_ ? 1 : 0;
  screen.out_ = std::make_unique<Stream>(Stream::of(STDOUT_FILENO));
  screen_stream = screen.out_.get();
  screen.active_ = true;
  take_over();
  for (const int s : kFatal) on_signal(s, on_fatal);
  struct sigaction stop {};
  if (::sigaction(SIGTSTP, nullptr, &stop) == 0 && stop.sa_handler == SIG_DFL) on_signal(SIGTSTP, on_stop);
  on_signal(SIGCONT, on_continue);
  return screen;
}

FullScreen::FullScreen(FullScreen&& other) noexcept
    : active_(std::exchange(other.active_, false)),
      has_keys_(other.has_keys_),
      shown_(other.shown_),
      out_(std::move(other.out_)),
      buffer_(std::move(other.buffer_)) {}

FullScreen::~FullScreen() {
  if (!active_) return;
  restore();
  screen_stream = nullptr;
  for (const int s : kFatal) std::signal(s, SIG_DFL);
  std::signal(SIGTSTP, SIG_DFL);
  std::signal(SIGCONT, SIG_DFL);
}

bool FullScreen::stale() const {
  return taken_anew != 0 || size() != shown_;
}

std::string FullScreen::keys() {
  std::string typed;
  char bytes[64];
  pollfd keyboard{STDIN_FILENO, POLLIN, 0};
  while (has_keys_ && typed.size() < kMostKeys && ::poll(&keyboard, 1, 0) == 1) {
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n == 0 || (n < 0 && errno == EIO)) has_keys_ = false;  // the keyboard's terminal hung up
    if (n <= 0) break;
    typed.append(bytes, static_cast<std::size_t>(n));
  }
  return typed;
}

// What the terminal does not take now stays in the buffer.
Result<void> FullScreen::write_rest() {
  std::size_t written = 0;
  int error = 0;
  while (written < buffer_.size() && error == 0) {
    const ssize_t n = out_->write(std::string_view(buffer_).substr(written));
    if (n >= 0)
      written += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      error = errno;
  }
  buffer_.erase(0, written);
  if (error == 0 || error == EAGAIN) return {};
  buffer_.clear();
  return Error{"cannot write to the terminal", errno_text(error)};
}

Result<void> FullScreen::show(std::string_view frame) {
  if (auto r = write_rest(); !r || !buffer_.empty())
    return r;  // the terminal stands still: so does the table
  taken_anew = 0;
  shown_ = size();
  buffer_.assign(kHome);
  while (!frame.empty()) {
    const std::size_t end = frame.find('\n');
    buffer_.append(frame.substr(0, end)).append(kClearRestOfLine);
    if (end == std::string_view::npos) break;
    frame.remove_prefix(end + 1);
    if (!frame.empty()) buffer_ += "\r\n";
  }
  buffer_.append(kClearBelow);
  return write_rest();
}

}  // namespace plumb
