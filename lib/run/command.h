// `-- COMMAND`: started, but held before its first instruction until the probes are attached.
//
//   auto command = Command::prepare(arguments);   // a process exists, its pid goes into the filter
//   ... attach ...
//   command->release();                           // now it execs; 127 not found, 126 not executable
//   poll command->exit_fd(), then command->wait()
#pragma once

#include <sys/types.h>

#include <csignal>
#include <span>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "run/end_signals.h"

namespace plumb {

class Command {
 public:
  // Forks. The child waits; when this object goes before release(), it ends without having run anything.
  // Under sudo the command gets the ids, groups and home of invoking_user().
  // `mask` is the signal mask that the command starts with.
  static Result<Command> prepare(std::span<const std::string> arguments, const sigset_t& mask);

  Command(Command&&) noexcept = default;
  Command& operator=(Command&&) noexcept = default;
  ~Command();

  pid_t pid() const { return pid_; }
  // Readable once the command has ended (a pidfd).
  int exit_fd() const { return pidfd_.get(); }

  // Lets it run. An Error says why it could not: then wait() gives 127 (not found) or 126, as in a shell.
  Result<void> release();
  // Sends a signal, if it still runs.
  void signal(int number) const;
  // Waits for its end. Its exit status, or 128 + the signal that ended it.
  int wait();
  // The same of one that may outlive --duration and --count: what is sent to us meanwhile is for it.
  int wait_and_tell(const EndSignals& signals);

 private:
  Command() = default;

  static constexpr int kWaitFailed = 125;

  std::string name_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd start_;   // write end: one byte releases, closing it cancels
  UniqueFd failed_;  // read end: errno of a failed exec; end of file: exec succeeded
  int status_ = -1;  // set once reaped
};

}  // namespace plumb
