#include "proc/mounts.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace plumb {
namespace {

// The fields of a line of /proc/mounts, of which we want three: mount point, type, options (proc(5),
// fstab(5)).
struct Mount {
  std::string_view point, type, options;
};

std::string_view next_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(line.size(), space + 1));
  return word;
}

Mount parse_mount(std::string_view line) {
  next_word(line);  // the device
  Mount m;
  m.point = next_word(line);
  m.type = next_word(line);
  m.options = next_word(line);
  return m;
}

// Blank, tab, newline and backslash stand there as \040, \011, \012, \134.
std::string unescape_octal(std::string_view s) {
  const auto digit = [&](std::size_t i) { return i < s.size() && s[i] >= '0' && s[i] <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out += static_cast<char>((s[i + 1] - '0') * 64 + (s[i + 2] - '0') * 8 + (s[i + 3] - '0'));
      i += 3;
    } else {
      out += s[i];
    }
  }
  return out;
}

template <class F>
void each_mount(std::string_view text, F f) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    f(parse_mount(line));
  }
}

}  // namespace

Result<CgroupMounts> cgroup_mounts(const ProcFs& procfs) {
  auto text = procfs.read("/proc/mounts");
  if (!text) return std::move(text).error();
  CgroupMounts mounts;
  each_mount(*text, [&](const Mount& m) {
    if (m.type == "cgroup2" && mounts.v2.empty()) mounts.v2 = unescape_octal(m.point);
    const bool systemd = m.options.find("name=systemd") != std::string_view::npos;
    if (m.type == "cgroup" && (mounts.v1.empty() || systemd)) mounts.v1 = unescape_octal(m.point);
  });
  return mounts;
}

Result<void> need_system_mounts(const ProcFs& procfs) {
  struct Needed {
    std::string_view point, inside, what, command;
  };
  static constexpr Needed kNeeded[] = {
      {"/proc", "/proc/self/ns", "processes", "mount -t proc proc /proc"},
      {"/sys", "/sys/kernel", "the kernel's types", "mount -t sysfs sysfs /sys"},
  };
  for (const Needed& n : kNeeded) {
    if (procfs.inode(std::string(n.inside))) continue;
    return Error{"cannot read " + std::string(n.what), std::string(n.point) + " is not mounted",
                 std::string(n.command)};
  }
  return {};
}

bool in_initial_pid_namespace(const ProcFs& procfs) {
  constexpr std::uint64_t kInitialInode =
      0xEFFFFFFC;  // PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h
  const auto inode = procfs.inode("/proc/self/ns/pid");
  return !inode || *inode == kInitialInode;
}

std::string mount_point_of(const ProcFs& procfs, std::string_view type) {
  std::string point;
  const auto text = procfs.read("/proc/mounts");
  if (!text) return point;
  each_mount(*text, [&](const Mount& m) {
    if (m.type == type && point.empty()) point = unescape_octal(m.point);
  });
  return point;
}

Result<std::string> cgroup2_mount(const ProcFs& procfs) {
  auto mounts = cgroup_mounts(procfs);
  if (!mounts) return std::move(mounts).error();
  if (mounts->v2.empty()) {
    return Error{"no cgroup v2 hierarchy is mounted", "/proc/mounts lists none",
                 "mount -t cgroup2 none /sys/fs/cgroup/unified   (after mkdir), or boot with cgroup v2"};
  }
  return std::move(mounts->v2);
}

Result<std::uint32_t> netns_inode(std::string_view pid_or_path, const ProcFs& procfs) {
  const bool digits = std::ranges::all_of(pid_or_path, [](char c) { return c >= '0' && c <= '9'; });
  if (pid_or_path.empty())
    return Error{"no network namespace named", {}, "give a process id, a path, or a name"};
  const std::string given(pid_or_path);
  const std::string path = digits                                            ? "/proc/" + given + "/ns/net"
                           : pid_or_path.find('/') == std::string_view::npos ? "/run/netns/" + given
                                                                             : given;
  auto inode = procfs.network_namespace(path);
  if (!inode) {
    Error e{"no network namespace '" + given + "'", inode.error().why};
    if (e.why.empty()) e.why = inode.error().what;
    if (e.why.starts_with("EACCES") || e.why.starts_with("EPERM")) {
      e.hint = "another user's process: run it as root, or with CAP_SYS_PTRACE";
    } else {
      e.hint = digits ? "give a process that runs, a path, or a name that `ip netns` lists"
                      : "give a path such as /proc/1/ns/net, a name that `ip netns` lists, or a process id";
    }
    return e;
  }
  if (*inode > std::numeric_limits<std::uint32_t>::max()) return Error{path + " is no network namespace"};
  return static_cast<std::uint32_t>(*inode);
}

}  // namespace plumb
