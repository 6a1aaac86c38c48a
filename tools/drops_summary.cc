#include "tools/drops_summary.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace plumb {
namespace {

std::string bytes_of(const drops_key& key) {
  return std::string(reinterpret_cast<const char*>(&key), sizeof key);
}

void set_flow(drops_key& key, const DropLine& line) {
  if (line.protocol == "arp") key.protocol = DROPS_PROTOCOL_ARP;
  if (line.src.family() == IpAddress::Family::none || line.protocol == "arp") return;
  key.family = line.src.is_v4() ? AF_INET : AF_INET6;
  key.protocol = ip_protocol_number(line.protocol == "vxlan" ? "udp" : line.protocol).value_or(0);
  key.dst_port = line.dst_port;
  std::ranges::copy(line.src.bytes(), key.src);
  std::ranges::copy(line.dst.bytes(), key.dst);
}

}  // namespace

void DropSums::add(const DropLine& line, const DropsOptions& grouping) {
  if (line.type == DROPS_COUNTER) return;
  DropTotal entry;
  entry.key.type = static_cast<std::uint8_t>(line.type);
  entry.key.known = line.has_reason ? KNOWN_REASON : 0;
  entry.key.reason = line.type == DROPS_RETRANSMIT ? std::uint32_t{line.kind} : line.reason_number;
  entry.key.direction = line.direction;
  if (grouping.by_location) entry.key.location = line.location_address;
  if (grouping.by_dev) {
    entry.key.netns = line.netns;
    entry.key.ifindex = line.ifindex;
    line.dev.copy(entry.total.dev, sizeof entry.total.dev - 1);
  }
  if (grouping.by_flow && totals_.size() < kMaxKeys) set_flow(entry.key, line);
  entry.total.count = line.count;
  entry.total.bytes = line.length_bytes.value_or(0);
  add(entry);
}

void DropSums::add(const DropTotal& entry) {
  const auto [at, fresh] = totals_.emplace(bytes_of(entry.key), entry);
  if (fresh) return;
  at->second.total.count += entry.total.count;
  at->second.total.bytes += entry.total.bytes;
}

std::vector<DropTotal> DropSums::sorted() const {
  std::vector<DropTotal> out;
  for (const auto& [bytes, entry] : totals_) out.push_back(entry);
  std::ranges::stable_sort(out, std::ranges::greater{}, [](const DropTotal& e) { return e.total.count; });
  return out;
}

}  // namespace plumb
