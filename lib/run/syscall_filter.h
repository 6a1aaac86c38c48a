// What a run can still ask of the kernel once all is attached. A filter of system calls, for this thread and those that
// it starts: whoever takes over a parser of hostile bytes cannot run a program, start a process, write a file that was not
// open before, load a BPF program, look into another process, or (without --otlp) reach the network.
//
// It names what is forbidden rather than what is allowed: the C library and OpenSSL choose system calls by version and
// machine, and a list of the allowed that is too short would end a trace in the middle of the night.
#pragma once

#include "base/result.h"

namespace plumb {

struct SyscallFilter {
  bool network =
      false;  // --otlp: sockets of IP, and modules of name resolution, which the C library loads as code
  bool files_in_other_roots = false;  // openat2(2), whose flags are in memory: it may write, too
  bool signals = false;               // a command is under trace, which is told what plumb is told
};

// For good. Takes no_new_privs or CAP_SYS_ADMIN. A kernel without seccomp filters is no error.
Result<void> forbid_system_calls(const SyscallFilter& filter);

}  // namespace plumb
