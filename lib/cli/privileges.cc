#include "cli/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>

namespace plumb {
namespace {

struct KeptCapability {
  int number;
  std::string_view name;
};
constexpr KeptCapability kKept[] = {{CAP_KILL, "cap_kill"},
                                    {CAP_DAC_READ_SEARCH, "cap_dac_read_search"},
                                    {CAP_SYS_PTRACE, "cap_sys_ptrace"},
                                    {CAP_SYS_ADMIN, "cap_sys_admin"},
                                    {CAP_BPF, "cap_bpf"}};

// The kernel takes 64 capabilities as two words (capset(2), version 3).
using Words = std::array<__user_cap_data_struct, 2>;

bool get(Words& words) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capget, &header, words.data()) == 0;
}

bool set(const Words& words) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, words.data()) == 0;
}

std::size_t word_of(int capability) {
  return static_cast<std::size_t>(capability) / 32;
}
std::uint32_t bit_of(int capability) {
  return std::uint32_t{1} << (static_cast<unsigned>(capability) % 32);
}

void empty_bounding_set() {
  for (int c = 0; ::prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; ++c) ::prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

}  // namespace

Result<void> drop_privileges(bool signals_others) {
  Words held{};
  if (!get(held)) return Error{"cannot read plumb's own capabilities", errno_text(errno)};
  if ((held[word_of(CAP_SETPCAP)].effective & bit_of(CAP_SETPCAP)) != 0) empty_bounding_set();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const bool split = (held[word_of(CAP_BPF)].effective & bit_of(CAP_BPF)) != 0;
  Words kept{};
  for (const KeptCapability& k : kKept) {
    if ((k.number == CAP_SYS_ADMIN && split) || (k.number == CAP_KILL && !signals_others)) continue;
    const std::size_t w = word_of(k.number);
    kept[w].permitted |= held[w].permitted & bit_of(k.number);
    kept[w].effective |= held[w].effective & bit_of(k.number);
  }
  if (!set(kept)) return Error{"cannot give up capabilities", errno_text(errno)};
  return {};
}

std::string capability_names() {
  Words held{};
  if (!get(held)) return "unknown";
  std::string names;
  for (const KeptCapability& k : kKept) {
    if ((held[word_of(k.number)].effective & bit_of(k.number)) == 0) continue;
    if (!names.empty()) names += ',';
    names += k.name;
    held[word_of(k.number)].effective &= ~bit_of(k.number);
  }
  if ((held[0].effective | held[1].effective) != 0) names += names.empty() ? "others" : " and others";
  return names.empty() ? "none" : names;
}

}  // namespace plumb
