// The parent's side of the attacher.
#include "probe/attacher.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

namespace plumb {
namespace {

using attacher::Ask;
using attacher::kMaxOffsets;
using attacher::Reply;
using attacher::Request;

// What may come with a reply: a descriptor for each probe.
using ControlBytes = std::array<char, CMSG_SPACE(sizeof(int) * kMaxOffsets)>;

Error gone() {
  return Error{"cannot reach other processes any more", "the process that attaches probes has ended"};
}

bool send_request(int socket, const Request& request, int file) {
  iovec data{const_cast<Request*>(&request), sizeof request};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (file >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &file, sizeof file);
  }
  ssize_t n = 0;
  do {
    n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(sizeof request);
}

std::vector<UniqueFd> descriptors_of(msghdr& message) {
  std::vector<UniqueFd> out;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      out.emplace_back(fd);
    }
  }
  return out;
}

bool receive_reply(int socket, Reply& reply, std::vector<UniqueFd>& fds) {
  alignas(cmsghdr) ControlBytes control{};
  iovec data{&reply, sizeof reply};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n = 0;
  do {
    n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  fds = descriptors_of(message);
  return n == static_cast<ssize_t>(sizeof reply);
}

Request request_for(Ask ask, std::uint32_t pid) {
  Request r;
  r.size = sizeof r;
  r.ask = ask;
  r.pid = pid;
  return r;
}

std::string what_failed(Ask ask, std::uint32_t pid) {
  switch (ask) {
    case Ask::attach:
      return "cannot attach a probe to a program";
    case Ask::resume:
      return "cannot let process " + std::to_string(pid) + " go on";
    default:
      return "cannot read files of process " + std::to_string(pid);
  }
}

// Closes all but what serving takes: the parent's links among them, so that its probes end with it alone.
void close_others(std::vector<int> kept) {
  std::ranges::sort(kept);
  unsigned from = 3;  // standard error stays, for a sanitizer's last words
  kept.push_back(INT_MAX);
  for (const int fd : kept) {
    const auto until = static_cast<unsigned>(fd);
    if (until > from && ::syscall(SYS_close_range, from, until - 1, 0) != 0) {  // before Linux 5.9
      for (unsigned n = from; n < std::min(until, 65536U); ++n) ::close(static_cast<int>(n));
    }
    from = until + 1;
  }
}

// In the child. Never returns. It is not killed as its parent dies (PR_SET_PDEATHSIG): it sees the socket close, and
// processes that a program of ours holds are let go first.
[[noreturn]] void run_child(int socket, UprobeKind kind, std::span<const int> programs, int held) {
  ::prctl(PR_SET_NAME, "plumb-attach");
  std::vector<int> kept(programs.begin(), programs.end());
  kept.push_back(socket);
  if (held >= 0) kept.push_back(held);
  close_others(std::move(kept));
  // Ctrl-C reaches the whole terminal's group; the parent ends in its own time, and the attacher with it.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP}) std::signal(number, SIG_IGN);
  attacher::serve(socket, kind, programs, held);
  ::_exit(0);
}

}  // namespace

Result<Attacher> Attacher::start(UprobeKind kind, std::span<const int> programs, int held) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{"cannot start the process that attaches probes", errno_text(errno)};
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return Error{"cannot start the process that attaches probes", errno_text(errno)};
  if (child == 0) run_child(theirs.get(), kind, programs, held);
  return Attacher(std::move(ours), child);
}

Attacher& Attacher::operator=(Attacher&& other) noexcept {
  if (this != &other) {
    end();
    socket_ = std::move(other.socket_);
    pid_ = std::exchange(other.pid_, -1);
    last_id_ = other.last_id_;
  }
  return *this;
}

Attacher::~Attacher() {
  end();
}

void Attacher::end() {
  if (!socket_) return;                  // moved from
  ::shutdown(socket_.get(), SHUT_RDWR);  // a child that has not yet become a command holds a copy
  socket_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<std::vector<UniqueFd>> Attacher::ask(Request& request, int file) {
  request.id = ++last_id_;
  Reply reply;
  std::vector<UniqueFd> fds;
  if (!send_request(socket_.get(), request, file) || !receive_reply(socket_.get(), reply, fds) ||
      reply.id != request.id)
    return gone();
  if (reply.error != 0) return Error{what_failed(request.ask, request.pid), errno_text(reply.error)};
  // The kernel leaves out what does not fit below the limit of open files.
  if (fds.size() != reply.fd_count)
    return Error{what_failed(request.ask, request.pid), errno_text(EMFILE),
                 "raise the limit of open files: ulimit -n"};
  return fds;
}

Result<UniqueFd> Attacher::ask_file(Request& request) {
  auto fds = ask(request, -1);
  if (!fds) return std::move(fds).error();
  if (fds->size() != 1) return gone();
  return std::move(fds->front());
}

Result<UniqueFd> Attacher::open_maps(std::uint32_t pid) {
  Request r = request_for(Ask::open_maps, pid);
  return ask_file(r);
}

Result<std::string> Attacher::read_maps(std::uint32_t pid) {
  const auto fd = open_maps(pid);
  if (!fd) return fd.error();
  constexpr std::size_t kMost = std::size_t{8} << 20, kStep = std::size_t{64} << 10;
  std::string text;
  while (text.size() < kMost) {
    const std::size_t used = text.size();
    text.resize(used + kStep);
    const ssize_t n = ::read(fd->get(), text.data() + used, kStep);
    text.resize(used + (n > 0 ? static_cast<std::size_t>(n) : 0));
    if (n == 0 || (n < 0 && errno != EINTR)) break;
  }
  return text;
}

Result<UniqueFd> Attacher::open_program(std::uint32_t pid) {
  Request r = request_for(Ask::open_program, pid);
  return ask_file(r);
}

Result<UniqueFd> Attacher::open_mapping(std::uint32_t pid, std::uint64_t start, std::uint64_t end) {
  Request r = request_for(Ask::open_mapping, pid);
  r.start = start;
  r.end = end;
  return ask_file(r);
}

Result<UniqueFd> Attacher::open_in_root(std::uint32_t pid, std::string_view path) {
  Request r = request_for(Ask::open_in_root, pid);
  if (path.size() >= sizeof r.path)
    return Error{"cannot read files of process " + std::to_string(pid), "a path is too long"};
  r.path_size = static_cast<std::uint32_t>(path.size());
  std::copy(path.begin(), path.end(), r.path);
  return ask_file(r);
}

Result<UniqueFd> Attacher::open_mapped_file(std::uint32_t pid, std::uint64_t start, std::uint64_t end,
                                            std::string_view path, std::uint64_t inode) {
  if (auto fd = open_mapping(pid, start, end)) return fd;
  auto fd = open_in_root(pid, path);
  struct stat info {};
  if (fd && (::fstat(fd->get(), &info) != 0 || info.st_ino != inode))
    return Error{"cannot read a file of process " + std::to_string(pid),
                 "it was replaced since it was mapped"};
  return fd;
}

Result<UprobeLink> Attacher::attach(std::uint32_t program, const UprobePlace& place) {
  Request r = request_for(Ask::attach, 0);
  if (place.offsets.size() > kMaxOffsets)
    return Error{"cannot attach a probe to a program", "too many places"};
  r.program = program;
  r.only_pid = place.only_pid;
  r.offset_count = static_cast<std::uint32_t>(place.offsets.size());
  std::copy(place.offsets.begin(), place.offsets.end(), r.offsets);
  auto fds = ask(r, place.file);
  if (!fds) return std::move(fds).error();
  return UprobeLink(*std::move(fds));
}

Result<void> Attacher::resume(std::uint32_t pid) {
  Request r = request_for(Ask::resume, pid);
  if (auto fds = ask(r, -1); !fds) return std::move(fds).error();
  return {};
}

}  // namespace plumb
