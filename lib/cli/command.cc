#include "cli/command.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace plumb {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return Error{"cannot start the command", errno_text(errno)};
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Who the command runs as.
struct User {
  uid_t uid;
  gid_t gid;
  std::string name;
  std::string home;
  std::vector<gid_t> groups;
};

std::optional<unsigned> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  unsigned n = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, status] = std::from_chars(text, end, n);
  return status == std::errc{} && rest == end ? std::optional(n) : std::nullopt;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// The user that called sudo; nothing when plumb does not run under it. /etc/passwd and /etc/group are read
// directly: getpwuid(3) in a static executable would load the target's NSS modules.
std::optional<User> sudo_user() {
  const auto uid = number_from_environment("SUDO_UID");
  const auto gid = number_from_environment("SUDO_GID");
  if (::geteuid() != 0 || !uid || !gid || *uid == 0) return std::nullopt;
  User user{*uid, *gid, {}, {}, {*gid}};
  if (const char* name = std::getenv("SUDO_USER"); name != nullptr) user.name = name;
  if (const File file(std::fopen("/etc/passwd", "re"), std::fclose); file != nullptr) {
    while (const passwd* entry = ::fgetpwent(file.get())) {
      if (entry->pw_uid != user.uid) continue;
      user.name = entry->pw_name;
      user.home = entry->pw_dir;
      break;
    }
  }
  if (const File file(std::fopen("/etc/group", "re"), std::fclose); file != nullptr) {
    while (const group* entry = ::fgetgrent(file.get())) {
      for (char** member = entry->gr_mem; *member != nullptr; ++member) {
        if (user.name == *member) user.groups.push_back(entry->gr_gid);
      }
    }
  }
  return user;
}

bool become(const User& user) {
  if (::setgroups(user.groups.size(), user.groups.data()) != 0) return false;
  if (::setresgid(user.gid, user.gid, user.gid) != 0 || ::setresuid(user.uid, user.uid, user.uid) != 0)
    return false;
  if (!user.home.empty()) ::setenv("HOME", user.home.c_str(), 1);
  if (!user.name.empty()) {
    ::setenv("USER", user.name.c_str(), 1);
    ::setenv("LOGNAME", user.name.c_str(), 1);
  }
  return true;
}

// In the child: waits for the word to go, then becomes the command. Never returns.
[[noreturn]] void run_child(const Pipe& start, const Pipe& failed, const std::vector<char*>& argv,
                            const std::optional<User>& user, const sigset_t& mask) {
  char go = 0;
  ssize_t n = 0;
  do {
    n = ::read(start.read.get(), &go, 1);
  } while (n < 0 && errno == EINTR);
  if (n != 1) ::_exit(0);  // cancelled: plumb could not attach
  std::signal(SIGPIPE, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  if (!user || become(*user)) ::execvp(argv.front(), argv.data());
  const int error = errno;
  const ssize_t written = ::write(failed.write.get(), &error, sizeof error);
  ::_exit(written == sizeof error && error == ENOENT ? 127 : 126);
}

int exit_status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace

Result<Command> Command::prepare(std::span<const std::string> arguments, const sigset_t& mask) {
  auto start = make_pipe();
  if (!start) return std::move(start).error();
  auto failed = make_pipe();
  if (!failed) return std::move(failed).error();
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const std::optional<User> user = sudo_user();

  Command command;
  command.name_ = arguments.front();
  command.pid_ = ::fork();
  if (command.pid_ < 0) return Error{"cannot start the command", errno_text(errno)};
  if (command.pid_ == 0) {
    start->write.reset();
    run_child(*start, *failed, argv, user, mask);
  }
  command.start_ = std::move(start->write);
  command.failed_ = std::move(failed->read);
  command.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, command.pid_, 0)));
  if (!command.pidfd_) return Error{"cannot watch the command", errno_text(errno)};
  return command;
}

Command::~Command() {
  // The child sees its pipe closed and ends before it ran anything; a command that was released is left
  // alone.
  const bool held = static_cast<bool>(start_);
  start_.reset();
  if (held && pidfd_ && status_ < 0) wait();
}

Result<void> Command::release() {
  const char go = 1;
  const ssize_t n = ::write(start_.get(), &go, 1);
  start_.reset();
  if (n != 1) return Error{"cannot start the command", errno_text(errno)};
  int error = 0;
  const ssize_t got = ::read(failed_.get(), &error, sizeof error);  // ends when exec closes the other side
  failed_.reset();
  if (got != sizeof error) return {};
  wait();
  return Error{"cannot run " + name_, errno_text(error)};
}

void Command::signal(int number) const {
  if (status_ < 0) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

int Command::wait() {
  while (status_ < 0) {
    int status = 0;
    if (::waitpid(pid_, &status, 0) == pid_)
      status_ = exit_status_of(status);
    else if (errno != EINTR)
      status_ = kWaitFailed;
  }
  return status_;
}

}  // namespace plumb
