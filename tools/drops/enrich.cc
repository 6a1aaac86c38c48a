#include "drops/enrich.h"

#include <algorithm>

#include "drops/hints.h"

namespace plumb {
namespace {

FlowKey flow_of(const DropLine& line) {
  return {line.src, line.dst, line.src_port, line.dst_port};
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
  static const LocationInfo kTooMany{"?", "?", Place::lossy};
  if (locations_.size() >= kMaxLocations) return kTooMany;  // lines point into the others
  LocationInfo info;
  // The address is where the call returns to; the call itself may be the function's last instruction.
  const auto symbol = symbols_.find(address - 1);
  append_location(info.text, address, symbol ? symbols_.find(address - 1) : std::nullopt);
  if (symbol) {
    info.text.clear();
    append_location(info.text, address, KernelSymbol{symbol->name, symbol->offset + 1});
    info.function = symbol->name;
    info.place = place_of(symbol->name);
  } else {
    info.function = info.text;
  }
  return locations_.emplace(address, std::move(info)).first->second;
}

void DropTexts::name_reason(DropLine& line) {
  if (!line.has_reason) return;
  const ReasonInfo& info = reason(line.type, line.reason_number);
  line.reason = info.reason;
  line.subsystem = info.subsystem;
  line.hint = info.hint;
}

void remember_drop(const DropLine& line, CauseJoin& causes) {
  if (line.protocol != "tcp" || !line.has_ports) return;
  causes.dropped(flow_of(line), line.origin.time, line.sequence, line.payload_bytes, line.reason,
                 line.location);
}

void find_cause(DropLine& line, const drops_event& e, const CauseJoin& causes) {
  const auto window = cause_window(e.srtt_us, e.rttvar_us,
                                   std::max<unsigned>(e.backoff, e.kind == KIND_SYN_ACK ? e.retransmits : 0));
  const auto cause = causes.find(flow_of(line), line.origin.time, line.sequence, window);
  if (!cause) return;
  line.cause = cause->reason.empty() ? cause->location : cause->reason;
  line.cause_location = cause->location;
  line.cause_is_segment = cause->same_segment;
  line.cause_age = cause->age;
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
