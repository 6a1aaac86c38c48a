// Why the kernel says no: capabilities, lockdown, sysctls, memory limits. So that an error names what is
// missing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace plumb {

// The capabilities (capabilities(7)) that plumb has a use for, in the order in which messages name them.
enum class Capability : std::uint8_t {
  bpf,
  perfmon,
  sys_ptrace,
  sys_admin,
  sys_resource,
  syslog,
  dac_read_search,
  kill,  // not for tracing: to signal a command that runs as another user
};

std::string_view capability_name(Capability c);  // "CAP_BPF"
std::string setcap_name(Capability c);           // "cap_bpf", as setcap(8) spells it
std::uint64_t capability_bit(Capability c);      // in a mask by the kernel's numbers

// Masks by the kernel's numbers.
struct CapabilitySets {
  std::uint64_t effective = 0;
  std::uint64_t permitted = 0;
};
Result<CapabilitySets> own_capabilities();

// What this process may do and what the machine forbids. A struct of facts, so that tests can make one up.
struct Privileges {
  std::uint64_t effective = 0;  // bit mask by the kernel's numbers
  unsigned last_capability =
      40;  // the highest number this kernel knows: below 39 it has no CAP_BPF (Linux < 5.8)
  uid_t euid = 0;
  bool initial_user_namespace = true;  // capabilities in another one do not count for BPF
  bool seccomp = false;                // a filter is installed, as container runtimes do
  std::optional<int> unprivileged_bpf_disabled;
  std::string lockdown;  // "none", "integrity", "confidentiality"; empty: not known or not built in
  std::uint64_t memlock_limit = 0;  // bytes, ~0: none
  bool memlock_counts = false;      // the kernel charges BPF memory to RLIMIT_MEMLOCK (before 5.11)
  std::string program = "plumb";    // path of the executable, for the setcap line

  bool has(Capability c) const;
  // CAP_BPF and CAP_PERFMON stand apart from CAP_SYS_ADMIN since Linux 5.8.
  bool split() const { return last_capability >= 39; }
};

Privileges own_privileges();

// Of all that tracing may need, what is held.
std::vector<Capability> held_for_tracing(const Privileges& p);
// Of what loading and attaching needs (CAP_BPF, CAP_PERFMON; before 5.8 CAP_SYS_ADMIN), what is not held.
std::vector<Capability> missing_for_tracing(const Privileges& p);
// Of what tools profit from beside that (ToolInfo::profits), what is not held.
std::vector<Capability> lacking(const Privileges& p, std::span<const Capability> wanted);

// "CAP_BPF and CAP_PERFMON"
std::string capability_list(const std::vector<Capability>& capabilities);
// "setcap cap_bpf,cap_perfmon+ep /usr/bin/plumb": all of what tracing needs, and these, since setcap replaces.
std::string setcap_line(const Privileges& p, std::span<const Capability> and_these = {});

// What to do about a kernel that is locked down.
inline constexpr std::string_view kNotLockedDown =
    "boot with lockdown=integrity, or without; see kernel_lockdown(7)";

// The Error for a step that the kernel refused with EPERM or EACCES.
Error refused(const std::string& what, int error, const Privileges& p);

// Before Linux 5.11 BPF maps and programs count against RLIMIT_MEMLOCK, usually 64 KiB to 8 MiB. Raises the
// limit there: to infinity where allowed (CAP_SYS_RESOURCE), else as far as the hard limit lets. Later
// kernels: does nothing. Call it once at start, after a command to trace was forked: limits are inherited.
void raise_memlock_limit();

}  // namespace plumb
