#include "run/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "run/invoking_user.h"

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

// What the child says when it could not become the command.
struct Failure {
  int error = 0;
  bool of_user = false;  // it could not become the user
};

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
  std::signal(SIGXFSZ, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  const bool became = !user || become(*user);
  if (became) ::execvp(argv.front(), argv.data());
  const Failure failure{errno, !became};
  const ssize_t written = ::write(failed.write.get(), &failure, sizeof failure);
  ::_exit(written == sizeof failure && became && failure.error == ENOENT ? 127 : 126);
}

int exit_status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace

Result<Command> Command::prepare(std::span<const std::string> arguments, const sigset_t& mask) {
  auto user = invoking_user();
  if (!user) return std::move(user).error();
  auto start = make_pipe();
  if (!start) return std::move(start).error();
  auto failed = make_pipe();
  if (!failed) return std::move(failed).error();
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);

  Command command;
  command.name_ = arguments.front();
  command.pid_ = ::fork();
  if (command.pid_ < 0) return Error{"cannot start the command", errno_text(errno)};
  if (command.pid_ == 0) {
    start->write.reset();
    run_child(*start, *failed, argv, *user, mask);
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
  Failure failure;
  const ssize_t got =
      ::read(failed_.get(), &failure, sizeof failure);  // ends when exec closes the other side
  failed_.reset();
  if (got != sizeof failure) return {};
  wait();
  if (!failure.of_user) {
    return Error{
        "cannot run " + name_, errno_text(failure.error),
        failure.error == ENOENT ? "give its path, or see that PATH has it (sudo has a PATH of its own)" : ""};
  }
  return Error{"cannot run " + name_ + " as the user who called sudo", errno_text(failure.error),
               "that takes CAP_SETUID and CAP_SETGID; unset SUDO_UID to run it as root"};
}

void Command::signal(int number) const {
  if (status_ < 0) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

int Command::wait_and_tell(const EndSignals& signals) {
  pollfd fds[] = {{exit_fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
  while (fds[0].revents == 0) {
    if (::poll(fds, std::size(fds), -1) < 0 && errno != EINTR) break;
    signalfd_siginfo info{};
    while (signals.next(info)) {
      if (info.ssi_code != SI_KERNEL) signal(static_cast<int>(info.ssi_signo));
    }
  }
  return wait();
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
