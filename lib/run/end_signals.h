// The signals that end a trace, as a descriptor.
#pragma once

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "base/fd.h"

namespace plumb {

// Signals that end a trace, as a descriptor. SIGPIPE is ignored: a closed reader shows as EPIPE. So is SIGHUP
// where it was ignored before, by nohup(1): a blocked signal comes to the descriptor although it is ignored.
class EndSignals {
 public:
  EndSignals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    for (const int s : {SIGINT, SIGTERM}) sigaddset(&set, s);
    struct sigaction hangup {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    if (hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &before_);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~EndSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  int fd() const { return fd_.get(); }
  // The mask from before: what a command under trace starts with.
  const sigset_t& mask_before() const { return before_; }
  // The next signal that waits; false when none does.
  bool next(signalfd_siginfo& info) const { return ::read(fd_.get(), &info, sizeof info) == sizeof info; }
  // A second Ctrl-C while the end is worked out kills as usual, also where a shell ignored it for a job in
  // the background. `asked`: there was a first. Else the first comes when the end has begun already, by itself: it asks for
  // nothing more, and must not cost what is still to be written.
  void restore(bool asked) {
    struct sigaction action {};
    action.sa_handler = asked ? SIG_DFL : [](int) {};
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    for (const int s : {SIGINT, SIGTERM}) ::sigaction(s, &action, nullptr);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

}  // namespace plumb
