#include "tools/drops_enrich.h"

#include <sys/socket.h>

#include <algorithm>

#include "tools/drops_hints.h"

namespace plumb {
namespace {

bool is_multicast_or_broadcast(const IpAddress& a) {
  const auto& b = a.bytes();
  if (a.is_v6()) return b[0] == 0xff;
  return a.is_v4() && (b[0] >= 224 || b[3] == 255);  // the last: of the usual /24 nets; others stay shown
}

}  // namespace

const ReasonInfo& DropTexts::reason(drops_type type, std::uint32_t reason) {
  const std::uint64_t key = std::uint64_t{type} << 32 | reason;
  if (const auto known = infos_.find(key); known != infos_.end()) return known->second;
  ReasonInfo info;
  if (type == DROPS_RESET) {
    const ReasonName name = resets_.name(reason);
    info = {name.reason, {}, reset_hint(name.reason)};
  } else {
    const ReasonName name = reasons_.name(reason);
    info = {name.reason, name.subsystem, reason_hint(name.reason)};
  }
  return infos_.emplace(key, info).first->second;
}

const LocationInfo& DropTexts::location(std::uint64_t address) {
  if (const auto known = locations_.find(address); known != locations_.end()) return known->second;
  static const LocationInfo kTooMany{"?", "?", false};
  if (locations_.size() >= kMaxLocations) return kTooMany;  // lines point into the others
  LocationInfo info;
  // The address is where the call returns to; the call itself may be the function's last instruction.
  const auto symbol = symbols_.find(address - 1);
  append_location(info.text, address, symbol ? symbols_.find(address - 1) : std::nullopt);
  if (symbol) {
    info.text.clear();
    append_location(info.text, address, KernelSymbol{symbol->name, symbol->offset + 1});
    info.function = symbol->name;
    info.benign = is_benign_function(symbol->name);
  } else {
    info.function = info.text;
  }
  return locations_.emplace(address, std::move(info)).first->second;
}

bool is_benign_drop(const drops_event& e, const DropLine& line, const LocationInfo& location,
                    bool has_reason) {
  // No packet of a network: messages of local sockets, netlink, kernel-internal ones.
  const bool inet = e.socket_family == AF_INET || e.socket_family == AF_INET6;
  if (e.ethertype == 0 && e.header_size == 0 && !inet) return true;
  if (e.socket_family == AF_UNIX || e.socket_family == AF_NETLINK) return true;
  const bool unexplained = !has_reason || line.reason == "NOT_SPECIFIED";
  if (unexplained && location.benign) return true;
  // Announcements to everybody (mDNS, SSDP, DHCP) that nobody here listens to.
  return line.reason == "NO_SOCKET" && is_multicast_or_broadcast(line.dst);
}

OwnerFilter::OwnerFilter(const TaskFilter& filter, std::function<bool(std::uint32_t)> follows)
    : filter_(filter), follows_(std::move(follows)) {
  active_ = !filter.pids.empty() || !filter.comms.empty() || filter.uid || !filter.cgroups.empty();
  const auto mount = cgroup2_mount();
  for (const UniqueFd& fd : filter.cgroups) {
    auto path = system_procfs().read_link("/proc/self/fd/" + std::to_string(fd.get()));
    if (path && mount && path->starts_with(*mount)) cgroup_paths_.push_back(path->substr(mount->size()));
  }
}

// "0::/system.slice/ssh.service" in /proc/PID/cgroup is the place in cgroup v2.
bool OwnerFilter::in_cgroups(std::uint32_t pid) const {
  auto text = system_procfs().read("/proc/" + std::to_string(pid) + "/cgroup");
  if (!text) return false;
  const std::size_t at = text->starts_with("0::") ? 0 : text->find("\n0::");
  if (at == std::string::npos) return false;
  std::string_view path = std::string_view(*text).substr(at == 0 ? 3 : at + 4);
  path = path.substr(0, path.find('\n'));
  return std::ranges::any_of(cgroup_paths_, [path](const std::string& root) {
    return path.starts_with(root) &&
           (path.size() == root.size() || root.ends_with('/') || path[root.size()] == '/');
  });
}

bool OwnerFilter::selects(const SocketOwner& owner) const {
  if (filter_.follow
          ? !follows_(owner.pid)
          : !filter_.pids.empty() && std::ranges::find(filter_.pids, owner.pid) == filter_.pids.end()) {
    return false;
  }
  const auto same_name = [&owner](const std::string& name) {
    return std::string_view(name).substr(0, 15) == std::string_view(owner.comm).substr(0, 15);
  };
  if (!filter_.comms.empty() && std::ranges::none_of(filter_.comms, same_name)) return false;
  if (filter_.uid && *filter_.uid != owner.uid) return false;
  return filter_.cgroups.empty() || in_cgroups(owner.pid);
}

}  // namespace plumb
