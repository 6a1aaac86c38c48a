#include "run/confine.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "probe/privileges.h"

namespace plumb {
namespace {

constexpr Capability kKept[] = {Capability::kill, Capability::dac_read_search, Capability::sys_ptrace,
                                Capability::sys_admin, Capability::bpf};

bool set(const CapabilitySets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> words{
      {{static_cast<__u32>(sets.effective), static_cast<__u32>(sets.permitted), 0},
       {static_cast<__u32>(sets.effective >> 32), static_cast<__u32>(sets.permitted >> 32), 0}}};
  return ::syscall(SYS_capset, &header, words.data()) == 0;
}

void empty_bounding_set() {
  for (int c = 0; ::prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; ++c) ::prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

}  // namespace

Result<void> drop_privileges(bool signals_others) {
  const auto held = own_capabilities();
  if (!held) return held.error();
  if ((held->effective >> CAP_SETPCAP & 1U) != 0) empty_bounding_set();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const bool split = (held->effective & capability_bit(Capability::bpf)) != 0;
  std::uint64_t kept = 0;
  for (const Capability c : kKept) {
    if ((c == Capability::sys_admin && split) || (c == Capability::kill && !signals_others)) continue;
    kept |= capability_bit(c);
  }
  if (!set({held->effective & kept, held->permitted & kept}))
    return Error{"cannot give up capabilities", errno_text(errno)};
  return {};
}

void give_up_capabilities() {
  set({0, 0});
}

std::string capability_names() {
  const auto held = own_capabilities();
  if (!held) return "unknown";
  std::uint64_t others = held->effective;
  std::string names;
  for (const Capability c : kKept) {
    if ((held->effective & capability_bit(c)) == 0) continue;
    names += (names.empty() ? "" : ",") + setcap_name(c);
    others &= ~capability_bit(c);
  }
  if (others != 0) names += names.empty() ? "others" : " and others";
  return names.empty() ? "none" : names;
}

}  // namespace plumb
