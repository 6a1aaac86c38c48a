// The attacher's own side. It holds privileges, so it does as little as it can: every message is checked field by
// field, nothing that it opens is read, and what it never needs is taken from it first.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/sanitizers.h"
#include "probe/attacher.h"
#include "probe/privileges.h"

namespace plumb::attacher {
namespace {

constexpr unsigned kCapCheckpointRestore = 40;  // map_files, from Linux 5.9; before: CAP_SYS_ADMIN

// Descriptors that came with a message beyond the one that may.
constexpr std::size_t kMaxControl = 8;

// What serving takes; sys_admin only where the kernel, or this process, has no narrower one. Perf events of uprobes take
// it (measured on Linux 6.18, which refuses them with EACCES to CAP_PERFMON); links do not.
void keep_needed_capabilities(UprobeKind kind) {
  const auto held = own_capabilities();
  if (!held) return;
  constexpr std::uint64_t kRestore = std::uint64_t{1} << kCapCheckpointRestore;
  const bool split = (held->effective & capability_bit(Capability::bpf)) != 0 &&
                     (held->effective & capability_bit(Capability::perfmon)) != 0;
  std::uint64_t kept = capability_bit(Capability::bpf) | capability_bit(Capability::perfmon) |
                       capability_bit(Capability::sys_ptrace) | capability_bit(Capability::dac_read_search) |
                       capability_bit(Capability::kill) | kRestore;
  if (!split || kind == UprobeKind::perf || (held->effective & kRestore) == 0)
    kept |= capability_bit(Capability::sys_admin);
  if ((held->effective >> CAP_SETPCAP & 1U) != 0) {
    for (int c = 0; ::prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; ++c) ::prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::uint64_t effective = held->effective & kept;
  const std::uint64_t permitted = held->permitted & kept;
  const std::array<__user_cap_data_struct, 2> words{
      {{static_cast<__u32>(effective), static_cast<__u32>(permitted), 0},
       {static_cast<__u32>(effective >> 32), static_cast<__u32>(permitted >> 32), 0}}};
  ::syscall(SYS_capset, &header, words.data());
}

// The system calls that serving makes, and those that the C library makes by itself. Anything else fails with EPERM.
constexpr int kAllowed[] = {SYS_recvmsg,
                            SYS_sendmsg,
                            SYS_openat,
                            SYS_openat2,
                            SYS_close,
                            SYS_fstat,
                            SYS_newfstatat,
                            SYS_bpf,
                            SYS_perf_event_open,
                            SYS_ioctl,
                            SYS_pidfd_send_signal,
                            SYS_pidfd_open,
                            SYS_read,
                            SYS_fcntl,
                            SYS_brk,
                            SYS_mmap,
                            SYS_munmap,
                            SYS_futex,
                            SYS_restart_syscall,
                            SYS_nanosleep,
                            SYS_clock_nanosleep,
                            SYS_rt_sigreturn,
                            SYS_exit_group,
                            SYS_exit};

constexpr std::uint32_t kArchitecture =
#if defined(__x86_64__)
    AUDIT_ARCH_X86_64;
#else
    AUDIT_ARCH_AARCH64;
#endif

void install_filter() {
  constexpr std::size_t kCount = std::size(kAllowed);
  std::array<sock_filter, kCount + 6> program{};
  std::size_t at = 0;
  program[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  program[at++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  program[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto to_allow = static_cast<std::uint8_t>(kCount - i);
    program[at++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(kAllowed[i]), to_allow, 0);
  }
  program[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  program[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog filter{static_cast<unsigned short>(at), program.data()};
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

struct Incoming {
  Request request;
  UniqueFd file;
  bool valid = false;
};

// Takes one message. All descriptors that came along are owned at once, so that none stays open by a malformed one.
// False: the other end is gone.
bool receive(int socket, Incoming& in) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxControl)> control{};
  iovec data{&in.request, sizeof in.request};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n = 0;
  do {
    n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return false;
  std::size_t count = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int), ++count) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
      in.file.reset(fd);
    }
  }
  in.valid = n == static_cast<ssize_t>(sizeof in.request) && in.request.size == sizeof in.request &&
             (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
             count == (in.request.ask == Ask::attach ? 1U : 0U);
  return true;
}

void reply(int socket, const Reply& answer, std::span<const UniqueFd> fds) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxOffsets)> control{};
  iovec data{const_cast<Reply*>(&answer), sizeof answer};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    for (std::size_t i = 0; i < fds.size(); ++i) {
      const int fd = fds[i].get();
      std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

int resume(std::uint32_t pid) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno;
  return ::syscall(SYS_pidfd_send_signal, process.get(), SIGCONT, nullptr, 0) == 0 ? 0 : errno;
}

// The parent is gone, and with it the probes, a moment later: what is held until then is let go.
void resume_all(int held) {
  for (int turn = 0; turn < 5; ++turn) {
    std::uint32_t pid = 0;
    const std::uint32_t* last = nullptr;
    for (int i = 0; i < 65536; ++i, last = &pid) {
      std::uint32_t next = 0;
      bpf_attr attr{};
      attr.map_fd = static_cast<__u32>(held);
      attr.key = reinterpret_cast<std::uint64_t>(last);
      attr.next_key = reinterpret_cast<std::uint64_t>(&next);
      if (::syscall(SYS_bpf, BPF_MAP_GET_NEXT_KEY, &attr, sizeof attr) != 0) break;
      pid = next;
      resume(pid);
    }
    const timespec pause{0, 20'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

class Server {
 public:
  Server(UprobeKind kind, std::span<const int> programs) : kind_(kind), programs_(programs) {}

  // errno; 0: done, with what comes back in `out`.
  int handle(const Request& r, const UniqueFd& file, std::vector<UniqueFd>& out) const {
    if (r.ask == Ask::attach) return attach(r, file.get(), out);
    if (r.pid == 0 || r.pid > INT_MAX) return EINVAL;
    char path[64];
    const unsigned pid = r.pid;
    switch (r.ask) {
      case Ask::open_maps:
        std::snprintf(path, sizeof path, "/proc/%u/maps", pid);
        return open_path(path, out);
      case Ask::open_program:
        std::snprintf(path, sizeof path, "/proc/%u/exe", pid);
        return open_path(path, out);
      case Ask::open_mapping:
        std::snprintf(path, sizeof path, "/proc/%u/map_files/%llx-%llx", pid,
                      static_cast<unsigned long long>(r.start), static_cast<unsigned long long>(r.end));
        return open_path(path, out);
      case Ask::open_in_root:
        return open_in_root(r, out);
      case Ask::resume:
        return attacher::resume(r.pid);
      default:
        return EINVAL;
    }
  }

 private:
  static int open_path(const char* path, std::vector<UniqueFd>& out) {
    return reopen(UniqueFd(::openat(AT_FDCWD, path, O_PATH | O_CLOEXEC)), out);
  }

  // For reading. Regular files only: nothing else is mapped with code in it, and opening a device or a FIFO has effects.
  static int reopen(const UniqueFd& seen, std::vector<UniqueFd>& out) {
    struct stat info {};
    if (!seen || ::fstat(seen.get(), &info) != 0) return errno;
    if (!S_ISREG(info.st_mode)) return EACCES;
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", seen.get());
    UniqueFd fd(::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return errno;
    out.push_back(std::move(fd));
    return 0;
  }

  // Links are followed as the process itself would, never out of its root.
  static int open_in_root(const Request& r, std::vector<UniqueFd>& out) {
    if (r.path_size == 0 || r.path_size >= sizeof r.path || r.path[0] != '/' || r.path[r.path_size] != 0 ||
        std::memchr(r.path, 0, r.path_size) != nullptr)
      return EINVAL;
    char root_path[32];
    std::snprintf(root_path, sizeof root_path, "/proc/%u/root", r.pid);
    const UniqueFd root(::openat(AT_FDCWD, root_path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) return errno;
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return reopen(UniqueFd(static_cast<int>(::syscall(SYS_openat2, root.get(), r.path, &how, sizeof how))),
                  out);
  }

  int attach(const Request& r, int file, std::vector<UniqueFd>& out) const {
    struct stat info {};
    if (r.program >= programs_.size() || r.offset_count == 0 || r.offset_count > kMaxOffsets ||
        r.only_pid > INT_MAX)
      return EINVAL;
    if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) return EINVAL;
    for (std::uint32_t i = 0; i < r.offset_count; ++i) {
      if (r.offsets[i] >= static_cast<std::uint64_t>(info.st_size)) return EINVAL;
    }
    return attach_descriptors(kind_, programs_[r.program], {file, {r.offsets, r.offset_count}, r.only_pid},
                              out);
  }

  UprobeKind kind_;
  std::span<const int> programs_;
};

}  // namespace

void confine(UprobeKind kind) {
  constexpr rlimit kNone{0, 0};
  ::setrlimit(RLIMIT_NPROC, &kNone);
  ::setrlimit(RLIMIT_FSIZE, &kNone);
  ::setrlimit(RLIMIT_CORE, &kNone);
  keep_needed_capabilities(kind);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!kSanitized) install_filter();  // the sanitizers' runtime calls what it likes
}

void serve(int socket, UprobeKind kind, std::span<const int> programs, int held) {
  prepare_uprobes();  // reads what it needs to know while files may still be opened freely
  confine(kind);
  const Server server(kind, programs);
  for (;;) {
    Incoming in;
    if (!receive(socket, in)) break;
    std::vector<UniqueFd> out;
    const int error = in.valid ? server.handle(in.request, in.file, out) : EINVAL;
    if (error != 0) out.clear();
    reply(socket, {in.request.id, error, static_cast<std::uint32_t>(out.size()), 0}, out);
  }
  if (held >= 0) resume_all(held);
}

}  // namespace plumb::attacher
