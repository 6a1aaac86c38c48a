#include "probe/tracepoint.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/fd.h"
#include "probe/privileges.h"

namespace plumb {
namespace {

constexpr long kTracefsMagic = 0x74726163;  // TRACEFS_MAGIC, linux/magic.h

UniqueFd open_mounted() {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    UniqueFd fd(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct statfs what {};
    if (fd && ::fstatfs(fd.get(), &what) == 0 && what.f_type == kTracefsMagic) return fd;
  }
  return {};
}

// A mount that no namespace has (Linux 5.2). It needs CAP_SYS_ADMIN.
UniqueFd mount_for_us() {
  const UniqueFd context(::fsopen("tracefs", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return UniqueFd(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
}

bool is_one_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

}  // namespace

Result<std::uint64_t> tracepoint_number(const std::string& category, const std::string& name) {
  const std::string full = category + ":" + name;
  if (!is_one_name(category) || !is_one_name(name)) return Error{"'" + full + "' names no tracepoint"};
  UniqueFd tracefs = open_mounted();
  if (!tracefs) tracefs = mount_for_us();
  if (!tracefs) {
    return Error{"cannot find the tracepoint " + full,
                 "tracefs is not mounted, and mounting it failed: " + errno_text(errno),
                 "mount -t tracefs tracefs /sys/kernel/tracing"};
  }
  const std::string path = "events/" + category + "/" + name + "/id";
  const UniqueFd fd(::openat(tracefs.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    return Error{"no tracepoint " + full, "this kernel has none of that name",
                 "bpftrace -l 'tracepoint:*' or perf list tracepoint lists them"};
  }
  std::array<char, 32> text{};
  const ssize_t n = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (n <= 0) return refused("cannot read the number of the tracepoint " + full, errno, own_privileges());
  std::uint64_t number = 0;
  if (std::from_chars(text.data(), text.data() + n, number).ec != std::errc{})
    return Error{"cannot read the number of the tracepoint " + full};
  return number;
}

}  // namespace plumb
