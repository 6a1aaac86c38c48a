// plumb sends a number of addresses, with the file and one end of a pipe, and the addresses; the answer comes through the
// pipe, as words: address, number of frames, of each the lengths of function and file, the line, and the text of both; at
// the end the address kWhole without frames.
#include "flame/inline_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/sanitizers.h"
#include "run/confine.h"

namespace plumb {
namespace {

constexpr int kMostSilenceMs = 20'000;
constexpr std::uint64_t kWhole = ~std::uint64_t{0};
// Of the process that reads one file, beside what it has of plumb.
constexpr std::uint64_t kMostMemory = std::uint64_t{2} << 30;
constexpr std::uint64_t kMostSeconds = 10;  // of CPU time
constexpr std::size_t kMostAnswer = std::size_t{64} << 20;
constexpr std::uint64_t kMostAddresses = std::uint64_t{4} << 20;

class PipeSink final : public InlinedSink {
 public:
  explicit PipeSink(int fd) : fd_(fd) {}

  void found(const InlinedAt& at) override {
    number(at.address);
    number(at.frames.size());
    for (const SourceFrame& f : at.frames) {
      number(f.function.size());
      number(f.file.size());
      number(f.line);
      text_ += f.function + f.file;
    }
    if (text_.size() > 65'536) flush();
  }

  void flush() {
    for (std::string_view rest = text_; !rest.empty();) {
      const ssize_t n = ::write(fd_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) ::_exit(1);
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    text_.clear();
  }

 private:
  void number(std::uint64_t n) { text_.append(reinterpret_cast<const char*>(&n), sizeof n); }

  int fd_;
  std::string text_;
};

void limit(__rlimit_resource what, std::uint64_t most) {
  rlimit now{};
  ::getrlimit(what, &now);
  now.rlim_max = std::min<rlim_t>(now.rlim_max, most);
  now.rlim_cur = now.rlim_max;
  ::setrlimit(what, &now);
}

std::uint64_t address_space() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// In the process of one file.
[[noreturn]] void read_file(int fd, std::span<const std::uint64_t> addresses, int to) {
  limit(RLIMIT_CPU, kMostSeconds);
  if constexpr (!kSanitized) {  // a sanitizer asks for memory and for pipes
    limit(RLIMIT_AS, address_space() + kMostMemory);
    limit(RLIMIT_NOFILE, 0);  // what is open stays open; other files that this one names are not opened
  }
  PipeSink sink(to);
  if (walk_inlined(fd, addresses, sink)) sink.found({kWhole, {}});
  sink.flush();
  ::_exit(0);
}

bool read_all(int fd, std::span<std::byte> to) {
  while (!to.empty()) {
    const ssize_t n = ::read(fd, to.data(), to.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to = to.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool send_all(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

// A number and the two descriptors that come with it.
struct Request {
  std::uint64_t count = 0;
  std::array<int, 2> fds{-1, -1};
  iovec part{&count, sizeof count};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
  msghdr message{};

  Request() {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
};

bool receive(int socket, Request& r) {
  ssize_t n = 0;
  while ((n = ::recvmsg(socket, &r.message, MSG_WAITALL | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* head = n == sizeof r.count ? CMSG_FIRSTHDR(&r.message) : nullptr;
  if (head == nullptr || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof r.fds))
    return false;
  std::memcpy(r.fds.data(), CMSG_DATA(head), sizeof r.fds);
  return r.count <= kMostAddresses;
}

bool send(int socket, std::uint64_t count, int file, int to) {
  Request r;
  r.count = count;
  r.fds = {file, to};
  cmsghdr* head = CMSG_FIRSTHDR(&r.message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof r.fds);
  std::memcpy(CMSG_DATA(head), r.fds.data(), sizeof r.fds);
  return ::sendmsg(socket, &r.message, MSG_NOSIGNAL) == sizeof r.count;
}

// In the process that waits, until plumb closes the socket.
void serve(int socket) {
  for (Request r; receive(socket, r);) {
    const UniqueFd file(r.fds[0]);
    const UniqueFd to(r.fds[1]);
    std::vector<std::uint64_t> addresses(r.count);
    if (!read_all(socket, std::as_writable_bytes(std::span(addresses)))) return;
    const pid_t child = ::fork();
    if (child == 0) read_file(file.get(), addresses, to.get());
    while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    r.message.msg_controllen = r.control.size();
  }
}

[[noreturn]] void run_child(int socket) {
  ::prctl(PR_SET_NAME, "plumb-inline");
  if (socket != 3) ::dup2(socket, 3);
  ::syscall(SYS_close_range, 4U, static_cast<unsigned>(INT_MAX), 0U);
  if (const int none = ::open("/dev/null", O_RDWR | O_CLOEXEC); none >= 0) {
    for (int fd = 0; fd < 3; ++fd) ::dup2(none, fd);
    ::close(none);
  }
  // Ctrl-C reaches the whole terminal's group; plumb ends in its own time, and this with it. A crash is expected: no core.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) std::signal(number, SIG_IGN);
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGPIPE}) std::signal(number, SIG_DFL);
  limit(RLIMIT_CORE, 0);
  give_up_capabilities();
  serve(3);
  ::_exit(0);
}

// Until the child's end of the pipe closes, the answer is too long or the child is silent for too long.
std::string read_answer(int fd, std::size_t most) {
  std::string text;
  std::string piece(65'536, '\0');
  while (text.size() < most) {
    pollfd wait{fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, kMostSilenceMs);
    if (ready < 0 && errno == EINTR) continue;
    const ssize_t n = ready <= 0 ? 0 : ::read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(piece, 0, static_cast<std::size_t>(n));
  }
  return text;
}

class AnswerReader {
 public:
  explicit AnswerReader(std::string_view text) : rest_(text) {}

  bool next(InlinedAt& at) {
    std::uint64_t frames = 0;
    if (!number(at.address) || !number(frames) || frames > kMostInlined) return false;
    at.frames.resize(frames);
    for (SourceFrame& f : at.frames) {
      std::uint64_t function = 0, file = 0, line = 0;
      if (!number(function) || !number(file) || !number(line)) return false;
      if (!text(f.function, function) || !text(f.file, file)) return false;
      f.line = static_cast<std::uint32_t>(line);
    }
    return true;
  }

 private:
  bool number(std::uint64_t& to) {
    if (rest_.size() < sizeof to) return false;
    std::memcpy(&to, rest_.data(), sizeof to);
    rest_.remove_prefix(sizeof to);
    return true;
  }
  bool text(std::string& to, std::uint64_t length) {
    if (rest_.size() < length) return false;
    to = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

InlineReader::~InlineReader() {
  socket_ = UniqueFd();
  while (child_ > 0 && ::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<void> InlineReader::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{"cannot start the process that reads debug information", errno_text(errno)};
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  child_ = ::fork();
  if (child_ < 0) return Error{"cannot start the process that reads debug information", errno_text(errno)};
  if (child_ == 0) run_child(theirs.get());
  socket_ = std::move(ours);
  return {};
}

InlinedAnswer InlineReader::read(int fd, std::span<const std::uint64_t> addresses) {
  InlinedAnswer answer{.found = {}, .whole = false};
  int ends[2] = {-1, -1};
  if (addresses.size() > kMostAddresses || ::pipe2(ends, O_CLOEXEC) != 0) return answer;
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  if (!send(socket_.get(), addresses.size(), fd, to.get()) ||
      !send_all(socket_.get(), std::as_bytes(addresses)))
    return answer;
  to = UniqueFd();
  const std::string text = read_answer(from.get(), kMostAnswer);
  AnswerReader reader(text);
  for (InlinedAt at; reader.next(at); at = {}) {
    if (at.address == kWhole) answer.whole = true;
    if (!at.frames.empty()) answer.found.push_back(std::move(at));
  }
  return answer;
}

}  // namespace plumb
