#include "drops/benign.h"
#include "base/say.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <numeric>

namespace plumb {
namespace {

// Messages of local sockets, netlink, kernel-internal ones.
bool is_no_network_packet(const drops_event& e) {
  const bool inet = e.socket_family == AF_INET || e.socket_family == AF_INET6;
  if (e.ethertype == 0 && e.header_size == 0 && !inet) return true;
  return e.socket_family == AF_UNIX || e.socket_family == AF_NETLINK;
}

}  // namespace

bool BenignDrops::is_harmless(std::string_view reason, std::uint32_t known, Place place) const {
  // What comes for a connection that is over, and carries nothing: the acknowledgement of what crossed its reset.
  const bool bare = has_reason_ && place == Place::tcp && (known & KNOWN_BARE) != 0;
  if (has_reason_ && reason != "NOT_SPECIFIED") return bare && reason == "TCP_CLOSE";
  return place == Place::harmless || bare;
}

bool BenignDrops::takes(const drops_event& e, const DropLine& line, const LocationInfo& location) {
  if (!hidden_) return false;
  const bool benign = is_no_network_packet(e) || is_harmless(line.reason, e.known, location.place);
  count_ += benign ? 1 : 0;
  return benign;
}

bool BenignDrops::takes(std::string_view reason, std::uint32_t known, Place place, std::uint64_t count) {
  const bool benign = hidden_ && is_harmless(reason, known, place);
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
