#include "drops/benign.h"
#include "base/say.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <numeric>

namespace plumb {
namespace {

bool is_multicast_or_broadcast(const IpAddress& a) {
  const auto& b = a.bytes();
  if (a.is_v6()) return b[0] == 0xff;
  return a.is_v4() && (b[0] >= 224 || b[3] == 255);  // the last: of the usual /24 nets; others stay shown
}

// Messages of local sockets, netlink, kernel-internal ones.
bool is_no_network_packet(const drops_event& e) {
  const bool inet = e.socket_family == AF_INET || e.socket_family == AF_INET6;
  if (e.ethertype == 0 && e.header_size == 0 && !inet) return true;
  return e.socket_family == AF_UNIX || e.socket_family == AF_NETLINK;
}

// A new connection's SYN may be dropped for an old one; and data that no one takes is told.
bool carries_something(const DropLine& line) {
  constexpr std::uint8_t kSyn = 0x02;
  return line.payload_bytes != 0 || (line.tcp_flags.value_or(0) & kSyn) != 0;
}

}  // namespace

bool BenignDrops::is_harmless(std::string_view reason, Place place) const {
  if (has_reason_ && reason != "NOT_SPECIFIED") return false;
  return place == Place::harmless || (place == Place::time_wait && has_reason_);
}

bool BenignDrops::takes(const drops_event& e, const DropLine& line, const LocationInfo& location) {
  if (!hidden_) return false;
  // The last: announcements to everybody (mDNS, SSDP, DHCP) that nobody here listens to.
  const bool benign = is_no_network_packet(e) ||
                      (is_harmless(line.reason, location.place) &&
                       (location.place != Place::time_wait || !carries_something(line))) ||
                      (line.reason == "NO_SOCKET" && is_multicast_or_broadcast(line.dst));
  count_ += benign ? 1 : 0;
  return benign;
}

bool BenignDrops::takes(std::string_view reason, Place place, std::uint64_t count) {
  const bool benign = hidden_ && is_harmless(reason, place);
  count_ += benign ? count : 0;
  return benign;
}

void BenignDrops::report(std::span<const __u64> by_reason, DropTexts& texts, bool verbose) const {
  const std::uint64_t all = std::accumulate(by_reason.begin(), by_reason.end(), count_);
  if (all == 0) return;
  say("plumb: {} benign drops not shown (--all shows them)", all);
  if (!verbose) return;
  for (std::uint32_t reason = 0; reason < by_reason.size(); ++reason) {
    if (by_reason[reason] == 0) continue;
    const ReasonInfo& info = texts.reason(DROPS_DROP, reason);
    say("plumb:   {} {}: {}", by_reason[reason], info.reason, info.hint);
  }
  if (count_ != 0) say("plumb:   {} without a reason, or no packets of a network", count_);
}

}  // namespace plumb
