#include "probe/privileges.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>

#include "base/fd.h"

namespace plumb {
namespace {

struct CapabilityInfo {
  unsigned number;
  std::string_view name;
};
// Numbers as in linux/capability.h: ABI. Those of BPF and PERFMON are younger than some C libraries' headers.
constexpr CapabilityInfo kInfo[] = {{39, "CAP_BPF"},
                                    {38, "CAP_PERFMON"},
                                    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
                                    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
                                    {CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
                                    {CAP_SYSLOG, "CAP_SYSLOG"},
                                    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
                                    {CAP_KILL, "CAP_KILL"}};
static_assert(std::size(kInfo) == static_cast<std::size_t>(Capability::kill) + 1);

// A file below /proc or /sys, at most 4 KiB of it; empty when it cannot be read.
std::string small_file(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text;
  const ssize_t n = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : std::string{};
}

std::optional<int> number(std::string_view text) {
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} ? std::optional(n) : std::nullopt;
}

// "none [integrity] confidentiality": the one in force stands in brackets.
std::string lockdown_state() {
  const std::string text = small_file("/sys/kernel/security/lockdown");
  const std::size_t open = text.find('[');
  const std::size_t close = text.find(']');
  return open == std::string::npos || close == std::string::npos || close < open
             ? std::string{}
             : text.substr(open + 1, close - open - 1);
}

// The initial user namespace maps every id to itself.
bool in_initial_user_namespace() {
  const std::string map = small_file("/proc/self/uid_map");
  if (map.empty()) return true;  // built without user namespaces
  std::uint64_t first = 1;
  std::uint64_t outside = 1;
  std::uint64_t count = 0;
  const char* at = map.data();
  const char* end = map.data() + map.size();
  for (std::uint64_t* n : {&first, &outside, &count}) {
    while (at != end && *at == ' ') ++at;
    at = std::from_chars(at, end, *n).ptr;
  }
  return first == 0 && outside == 0 && count == UINT32_MAX;
}

bool has_seccomp_filter() {
  constexpr std::string_view kKey = "\nSeccomp:\t";
  const std::string status = small_file("/proc/self/status");
  const std::size_t at = status.find(kKey);
  return at != std::string::npos && status.compare(at + kKey.size(), 1, "2") == 0;
}

// bpf_ktime_get_coarse_ns came with 5.11 as memory accounting by cgroup did; libbpf tells them apart in the
// same way.
bool memlock_counts_for_bpf() {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_SOCKET_FILTER, BPF_FUNC_ktime_get_coarse_ns, nullptr) == 0;
}

std::string own_path() {
  std::array<char, PATH_MAX> path;
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
  return n > 0 ? std::string(path.data(), static_cast<std::size_t>(n)) : std::string("plumb");
}

}  // namespace

std::string_view capability_name(Capability c) {
  return kInfo[static_cast<std::size_t>(c)].name;
}

std::string setcap_name(Capability c) {
  std::string name(capability_name(c));
  for (char& letter : name) letter = letter == '_' ? '_' : static_cast<char>(letter - 'A' + 'a');
  return name;
}

std::uint64_t capability_bit(Capability c) {
  return std::uint64_t{1} << kInfo[static_cast<std::size_t>(c)].number;
}

Result<CapabilitySets> own_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> words{};  // 64 capabilities as two words
  if (::syscall(SYS_capget, &header, words.data()) != 0)
    return Error{"cannot read plumb's own capabilities", errno_text(errno)};
  const auto joined = [&](__u32 __user_cap_data_struct::*set) {
    return std::uint64_t{words[1].*set} << 32 | words[0].*set;
  };
  return CapabilitySets{joined(&__user_cap_data_struct::effective),
                        joined(&__user_cap_data_struct::permitted)};
}

bool Privileges::has(Capability c) const {
  if ((effective & capability_bit(c)) != 0) return true;
  // CAP_SYS_ADMIN still implies these two (bpf_capable(), perfmon_capable() in linux/capability.h).
  return (c == Capability::bpf || c == Capability::perfmon) &&
         (effective & capability_bit(Capability::sys_admin)) != 0;
}

Privileges own_privileges() {
  Privileges p;
  if (const auto own = own_capabilities()) p.effective = own->effective;
  p.last_capability = static_cast<unsigned>(number(small_file("/proc/sys/kernel/cap_last_cap")).value_or(40));
  p.euid = ::geteuid();
  p.initial_user_namespace = in_initial_user_namespace();
  p.seccomp = has_seccomp_filter();
  p.unprivileged_bpf_disabled = number(small_file("/proc/sys/kernel/unprivileged_bpf_disabled"));
  p.lockdown = lockdown_state();
  if (rlimit limit{}; ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) p.memlock_limit = limit.rlim_cur;
  p.memlock_counts = missing_for_tracing(p).empty() && memlock_counts_for_bpf();
  p.program = own_path();
  return p;
}

std::vector<Capability> held_for_tracing(const Privileges& p) {
  std::vector<Capability> out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Capability::kill); ++i) {
    if (p.has(static_cast<Capability>(i))) out.push_back(static_cast<Capability>(i));
  }
  return out;
}

std::vector<Capability> missing_for_tracing(const Privileges& p) {
  constexpr Capability kOld[] = {Capability::sys_admin};
  constexpr Capability kSplit[] = {Capability::bpf, Capability::perfmon};
  return p.split() ? lacking(p, kSplit) : lacking(p, kOld);
}

std::vector<Capability> lacking(const Privileges& p, std::span<const Capability> wanted) {
  std::vector<Capability> out;
  std::ranges::copy_if(wanted, std::back_inserter(out), [&p](Capability c) { return !p.has(c); });
  return out;
}

std::string capability_list(const std::vector<Capability>& capabilities) {
  std::string out;
  for (std::size_t i = 0; i < capabilities.size(); ++i) {
    if (i != 0) out += i + 1 == capabilities.size() ? " and " : ", ";
    out += capability_name(capabilities[i]);
  }
  return out;
}

std::string setcap_line(const Privileges& p, std::span<const Capability> and_these) {
  std::vector<Capability> wanted{Capability::sys_admin};
  if (p.split()) wanted = {Capability::bpf, Capability::perfmon};
  wanted.insert(wanted.end(), and_these.begin(), and_these.end());
  std::string names;
  for (const Capability c : wanted) names += (names.empty() ? "" : ",") + setcap_name(c);
  return "setcap " + names + "+ep " + p.program;
}

Error refused(const std::string& what, int error, const Privileges& p) {
  Error e{what, errno_text(error)};
  if (!p.initial_user_namespace) {
    e.why += "; this process is in a user namespace, where capabilities do not count for BPF";
    e.hint = "run it on the host, or in a container without user namespace (--userns=host)";
    return e;
  }
  const auto missing = missing_for_tracing(p);
  if (!missing.empty()) {  // exactly these: a tool that needs more says so once it has them
    e.why = "missing: " + capability_list(missing);
    if (!p.split()) e.why += " (this kernel has no CAP_BPF yet)";
    e.hint = "run it as root, or once: " + setcap_line(p);
    return e;
  }
  if (p.lockdown == "confidentiality") {  // "integrity" forbids nothing of what tracing does
    e.why += "; the kernel is locked down (" + p.lockdown + ")";
    e.hint = kNotLockedDown;
    return e;
  }
  if (p.memlock_counts && p.memlock_limit != ~std::uint64_t{0}) {
    e.why += "; RLIMIT_MEMLOCK is " + std::to_string(p.memlock_limit >> 10) +
             " KiB, and this kernel charges BPF to it";
    e.hint = "raise it (ulimit -l unlimited), or give CAP_SYS_RESOURCE";
    return e;
  }
  if (p.seccomp) {  // of older runtimes it lets bpf(2) pass with CAP_SYS_ADMIN only
    e.why += "; a seccomp filter is in force";
    e.hint = "let it allow bpf(2); in a container: --security-opt seccomp=unconfined, or a newer runtime";
    return e;
  }
  e.hint = "the kernel or a security module refuses it; `plumb doctor` shows what works";
  return e;
}

void raise_memlock_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  if (!memlock_counts_for_bpf()) return;
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &none) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_MEMLOCK, &limit);
}

}  // namespace plumb
