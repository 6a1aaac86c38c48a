// After the probes are attached plumb needs little. What it does not need it gives up, for itself and for
// anything it might ever execute, so that a bug in a parser of hostile bytes has nothing to offer.
#pragma once

#include <string>

#include "base/result.h"

namespace plumb {

// Keeps, of the capabilities held, only CAP_BPF (to read maps, where kernel.unprivileged_bpf_disabled is
// set), CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE (to read other users' /proc entries and container state); on
// kernels before 5.8, which have no CAP_BPF, CAP_SYS_ADMIN in its place; with `signals_others` CAP_KILL too,
// for a command that runs as another user. Empties the bounding, inheritable and ambient sets and sets
// no_new_privs. A command under trace was forked before and is not touched.
Result<void> drop_privileges(bool signals_others);

// All of the calling thread's; others keep theirs.
void give_up_capabilities();

// The effective capabilities by name, "cap_bpf,cap_perfmon" or "none"; for --stats.
std::string capability_names();

}  // namespace plumb
