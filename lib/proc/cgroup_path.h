// Which container a cgroup belongs to, from its path alone. Every runtime names the directory after the
// container's id; the forms are listed beside the code that reads them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace plumb {

struct CgroupContainer {
  std::string_view runtime;  // fixed text: see Container::runtime
  std::string id;            // 64 hexadecimal digits; of systemd-nspawn and LXC the name
  std::string pod_uid;       // Kubernetes; empty: not in a pod
  std::size_t length = 0;    // bytes of the path up to the end of the container's own directory

  bool id_is_name() const { return runtime == "systemd-nspawn" || runtime == "lxc"; }
};

// The innermost container that `path` ("/system.slice/docker-<id>.scope/init.scope") lies in. Any bytes are
// taken.
std::optional<CgroupContainer> container_of_cgroup(std::string_view path);

// The text of /proc/PID/cgroup: the v2 line ("0::PATH") decides where it names a container, otherwise any v1
// line.
std::optional<CgroupContainer> container_of_proc_cgroup(std::string_view text);

// The path on the v2 line of /proc/PID/cgroup; empty: there is none.
std::string_view v2_path_of_proc_cgroup(std::string_view text);

}  // namespace plumb
