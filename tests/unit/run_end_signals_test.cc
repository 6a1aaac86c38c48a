#include "run/end_signals.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace plumb;

namespace {

// A process whose run ends, after a signal or by itself, and to which `signals` come while it works out the end. How it
// ends: its exit status, or less than 0: killed by this signal.
int end_of(bool asked, int signals) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGINT, SIG_IGN);  // as a shell leaves it for a job in the background
    EndSignals end;
    if (asked) {
      signalfd_siginfo info{};
      ::raise(SIGINT);
      if (!end.next(info)) ::_exit(1);
    }
    end.restore(asked);
    for (int i = 0; i < signals; ++i) ::raise(SIGINT);
    ::_exit(7);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("end signals: the second one kills, whether the first ended the run or came when it had ended") {
  CHECK(end_of(true, 0) == 7);
  CHECK(end_of(true, 1) == -SIGINT);
  CHECK(end_of(false, 0) == 7);
  CHECK(end_of(false, 1) == 7);
  CHECK(end_of(false, 2) == -SIGINT);
}
