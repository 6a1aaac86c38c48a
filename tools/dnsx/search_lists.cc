#include "dnsx/search_lists.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "base/fd.h"
#include "dnsx/wire.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxFile = 65536;

// Its links are followed as the process would, below its own root (openat2, Linux 5.6). False: it cannot be read.
bool read_resolv_conf(const std::string& process, std::string& text) {
  const UniqueFd below(::open(("/proc/" + process + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!below) return false;
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd file(
      static_cast<int>(::syscall(SYS_openat2, below.get(), "etc/resolv.conf", &how, sizeof how)));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  text.resize(kMaxFile);
  const ssize_t n = ::read(file.get(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return n >= 0;
}

std::uint64_t mount_ns_of(const std::string& process) {
  struct stat info {};
  return ::stat(("/proc/" + process + "/ns/mnt").c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

SearchListsOfProcesses::SearchListsOfProcesses(const BootClock& clock)
    : clock_(&clock), own_mount_ns_(mount_ns_of("self")) {}

const dns::ResolvConf& SearchListsOfProcesses::of(const dns::Owner& owner) {
  dnsx_owner identity;
  static_assert(sizeof identity <= dns::Owner::kIdentityBytes);
  std::memcpy(&identity, owner.identity.data(), sizeof identity);
  if (identity.mount_ns == 0) return none_;
  if (entries_.size() >= kMaxNamespaces && !entries_.contains(identity.mount_ns)) entries_.clear();
  Entry& entry = entries_[identity.mount_ns];
  const BootTime now = clock_->now();
  const bool fresh = entry.known && static_cast<std::int64_t>(now.ns - entry.read.ns) < kFreshNs;
  if (fresh) return entry.conf;
  // Its number may be another process's by now: only one in the same namespace will do.
  const std::string process =
      identity.mount_ns == own_mount_ns_ ? std::string("self") : std::to_string(owner.pid);
  std::string text;
  if (mount_ns_of(process) == identity.mount_ns && read_resolv_conf(process, text)) {
    entry.conf = dns::parse_resolv_conf(text);
    entry.known = true;
    entry.read = now;
  }
  return entry.conf;
}

}  // namespace plumb
