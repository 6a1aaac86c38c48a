// What the filter forbids, tried by a child that lives under it.
#include "run/syscall_filter.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

using namespace plumb;

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED

namespace {

// The exit status of a child that runs `body` under the filter.
template <class F>
int under(const SyscallFilter& filter, F&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!forbid_system_calls(filter)) ::_exit(99);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// 0 when the call fails with this error; else the error, 200 when it works.
int fails(long result, int error = EPERM) {
  return result >= 0 ? 200 : errno == error ? 0 : errno;
}

}  // namespace

TEST_CASE("under the filter no program and no process can be started") {
  CHECK(under({}, [] { return fails(::execl("/bin/true", "true", nullptr)); }) == 0);
  CHECK(under({.network = true, .signals = true},
              [] { return fails(::execl("/bin/true", "true", nullptr)); }) == 0);
  CHECK(under({}, [] {
          const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
          if (child == 0) ::_exit(0);
          return fails(child);
        }) == 0);
  CHECK(under({}, [] { return fails(::fork()); }) == 0);
  CHECK(under({}, [] { return fails(::syscall(SYS_clone3, nullptr, 0), ENOSYS); }) == 0);
}

TEST_CASE("under the filter no file can be written that was not open before") {
  CHECK(under({}, [] { return fails(::open("/dev/null", O_WRONLY)); }) == 0);
  CHECK(under({}, [] { return fails(::open("/tmp/plumb-never", O_RDONLY | O_CREAT, 0600)); }) == 0);
  CHECK(under({}, [] { return fails(::open("/tmp", O_TMPFILE | O_RDWR, 0600)); }) == 0);
  CHECK(under({}, [] { return fails(::unlink("/tmp/plumb-never")); }) == 0);
  CHECK(under({}, [] { return fails(::rename("/tmp/plumb-never", "/tmp/plumb-never2")); }) == 0);
  CHECK(under({}, [] { return fails(::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0), ENOSYS); }) == 0);
}

TEST_CASE("under the filter other processes and the kernel are out of reach") {
  CHECK(under({}, [] { return fails(::kill(::getppid(), 0)); }) == 0);
  CHECK(under({}, [] { return fails(::syscall(SYS_ptrace, 16, ::getppid(), 0, 0)); }) == 0);
  CHECK(under({}, [] { return fails(::syscall(SYS_pidfd_send_signal, -1, 0, nullptr, 0)); }) == 0);
  CHECK(under({.signals = true},
              [] { return fails(::syscall(SYS_pidfd_send_signal, -1, 0, nullptr, 0), EBADF); }) == 0);
  CHECK(under({}, [] { return fails(::syscall(SYS_bpf, BPF_PROG_LOAD, nullptr, 0)); }) == 0);
  CHECK(under({}, [] { return fails(::syscall(SYS_bpf, BPF_LINK_CREATE, nullptr, 0)); }) == 0);
  CHECK(under({}, [] { return fails(::ioctl(0, TIOCSTI, "x")); }) == 0);
  CHECK(under({}, [] { return fails(::unshare(CLONE_NEWNS)); }) == 0);
  CHECK(under({}, [] { return fails(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0)); }) == 0);
}

TEST_CASE("the network and new code are for those who push") {
  const auto sockets = [] { return fails(::socket(AF_INET, SOCK_STREAM, 0)); };
  const auto code = [] {
    return fails(
        ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                       : 0);
  };
  CHECK(under({}, sockets) == 0);
  CHECK(under({.network = true}, sockets) == 200);
  CHECK(under({}, code) == 0);
  CHECK(under({.network = true}, code) == 200);
}

TEST_CASE("what a run does goes on") {
  CHECK(under({}, [] {
          int done = 0;
          std::thread([&] { done = 1; }).join();
          const int file = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
          char byte = 0;
          if (done == 0 || file < 0 || ::read(file, &byte, 1) != 1) return 1;
          return ::socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? 2 : 0;
        }) == 0);
}

#endif
