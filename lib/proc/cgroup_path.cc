#include "proc/cgroup_path.h"

#include <algorithm>
#include <array>
#include <utility>

namespace plumb {
namespace {

constexpr std::size_t kIdDigits = 64;
constexpr std::size_t kMaxName = 255;  // NAME_MAX: no directory's name is longer

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}
bool is_id(std::string_view s) {
  return s.size() == kIdDigits && std::ranges::all_of(s, is_hex);
}

// Scope names that end in the id. Conmon, podman's and CRI-O's monitor, lives beside the container in
// libpod-conmon-<id>.scope and crio-conmon-<id>.scope: it is no part of it, and "conmon-<id>" is no id.
struct Prefix {
  std::string_view text;
  std::string_view runtime;
};
constexpr auto kPrefixes = std::to_array<Prefix>({
    {"docker-", "docker"},
    {"cri-containerd-", "containerd"},
    {"nerdctl-", "containerd"},
    {"crio-", "cri-o"},
    {"libpod-payload-", "podman"},
    {"libpod-", "podman"},
});

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Undoes systemd's escapes in a unit name: \x2d is '-' (systemd.unit(5), "String escaping for inclusion in
// unit names").
std::string unescape_unit(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s.substr(i, 2) == "\\x" && i + 3 < s.size() && hex_value(s[i + 2]) >= 0 && hex_value(s[i + 3]) >= 0) {
      out += static_cast<char>(hex_value(s[i + 2]) * 16 + hex_value(s[i + 3]));
      i += 3;
    } else {
      out += s[i];
    }
  }
  return out;
}

bool take_prefix(std::string_view& s, std::string_view prefix) {
  if (!s.starts_with(prefix)) return false;
  s.remove_prefix(prefix.size());
  return true;
}
bool take_suffix(std::string_view& s, std::string_view suffix) {
  if (!s.ends_with(suffix)) return false;
  s.remove_suffix(suffix.size());
  return true;
}

// libvirt registers virtual machines with machined as well, as machine-qemu\x2d1\x2dNAME.scope: no container.
bool is_virtual_machine(std::string_view machine) {
  return machine.starts_with("qemu-");
}

// systemd-nspawn@NAME.service (the unit template), machine-NAME.scope (systemd-nspawn started by hand).
std::optional<CgroupContainer> nspawn(std::string_view component) {
  std::string_view s = component;
  const bool service = take_prefix(s, "systemd-nspawn@") && take_suffix(s, ".service");
  if (!service) {
    s = component;
    if (!take_prefix(s, "machine-") || !take_suffix(s, ".scope")) return std::nullopt;
  }
  std::string name = unescape_unit(s);
  if (name.empty() || name.size() > kMaxName || is_virtual_machine(name)) return std::nullopt;
  return CgroupContainer{"systemd-nspawn", std::move(name), {}};
}

// lxc.payload.NAME (LXC >= 4.0.3, Incus, LXD), lxc.payload/NAME (4.0.0), lxc/NAME (before).
std::optional<CgroupContainer> lxc(std::string_view component, std::string_view parent) {
  std::string_view name = component;
  if (!take_prefix(name, "lxc.payload.") && parent != "lxc" && parent != "lxc.payload") return std::nullopt;
  if (name.empty() || name.size() > kMaxName) return std::nullopt;
  return CgroupContainer{"lxc", std::string(name), {}};
}

// docker-<id>.scope and the like; docker/<id> and kubepods/.../<id> (cgroupfs driver); and what containerd
// with the wrong driver makes of a systemd name: kubepods-besteffort-pod<uid>.slice:cri-containerd:<id>.
std::optional<CgroupContainer> with_id(std::string_view component, std::string_view parent,
                                       bool in_kubepods) {
  std::string_view s = component;
  take_suffix(s, ".scope");
  if (is_id(s)) {
    const std::string_view runtime = parent == "docker" ? "docker" : in_kubepods ? "containerd" : "oci";
    return CgroupContainer{runtime, std::string(s), {}};
  }
  if (const std::size_t colon = s.rfind(':'); colon != std::string_view::npos && is_id(s.substr(colon + 1))) {
    const std::string_view before = s.substr(0, colon);
    const std::string_view runtime = before.ends_with(":cri-containerd") ? "containerd"
                                     : before.ends_with(":docker")       ? "docker"
                                     : before.ends_with(":crio")         ? "cri-o"
                                                                         : "oci";
    return CgroupContainer{runtime, std::string(s.substr(colon + 1)), {}};
  }
  for (const Prefix& p : kPrefixes) {
    if (s.starts_with(p.text) && is_id(s.substr(p.text.size()))) {
      return CgroupContainer{p.runtime, std::string(s.substr(p.text.size())), {}};
    }
  }
  return std::nullopt;
}

// pod<uid> and kubepods-burstable-pod<uid>.slice, where systemd's driver writes '_' for '-'. A static pod's
// uid is 32 digits without dashes.
std::string pod_uid(std::string_view path) {
  for (std::size_t at = path.rfind("pod"); at != std::string_view::npos && at > 0;
       at = path.rfind("pod", at - 1)) {
    if (path[at - 1] != '/' && path[at - 1] != '-') continue;
    std::string uid;
    for (const char c : path.substr(at + 3, 37)) {
      if (!is_hex(c) && c != '-' && c != '_') break;
      uid += c == '_' ? '-' : c;
    }
    if (uid.size() == 36 || uid.size() == 32) return uid;
  }
  return {};
}

}  // namespace

std::optional<CgroupContainer> container_of_cgroup(std::string_view path) {
  const bool in_kubepods = path.find("kubepods") != std::string_view::npos;
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view component = slash == std::string_view::npos ? path : path.substr(slash + 1);
    const std::string_view above =
        slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
    const std::size_t parent_at = above.rfind('/');
    const std::string_view parent = parent_at == std::string_view::npos ? above : above.substr(parent_at + 1);
    auto found = with_id(component, parent, in_kubepods);
    if (!found) found = nspawn(component);
    if (!found) found = lxc(component, parent);
    if (found) {
      found->length = path.size();
      if (!found->id_is_name()) found->pod_uid = pod_uid(path);
      return found;
    }
    path = above;
  }
  return std::nullopt;
}

namespace {

// Calls `line(hierarchy, path)` for each line "N:CONTROLLERS:PATH" until it returns true.
template <class F>
void each_line(std::string_view text, F line) {
  while (!text.empty()) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), whole.size() + 1));
    const std::size_t first = whole.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = whole.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    if (line(whole.substr(0, second), whole.substr(second + 1))) return;
  }
}

}  // namespace

std::string_view v2_path_of_proc_cgroup(std::string_view text) {
  std::string_view found;
  each_line(text, [&](std::string_view hierarchy, std::string_view path) {
    if (hierarchy != "0:") return false;
    found = path;
    return true;
  });
  return found;
}

std::optional<CgroupContainer> container_of_proc_cgroup(std::string_view text) {
  if (auto v2 = container_of_cgroup(v2_path_of_proc_cgroup(text))) return v2;
  std::optional<CgroupContainer> found;
  each_line(text, [&](std::string_view, std::string_view path) {
    found = container_of_cgroup(path);
    return found.has_value();
  });
  return found;
}

}  // namespace plumb
