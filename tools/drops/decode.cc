// From the bytes of the ring buffer to a line: what needs neither /proc nor symbols.

#include <algorithm>
#include <cstring>

#include "drops/event.h"

namespace plumb {
namespace {

constexpr std::uint8_t kTcp = 6, kTcpRst = 4;
constexpr std::uint8_t kStates = 12;

// The socket's ends as the packet's addresses, by the way that it goes.
void take_ends(const drops_event& e, DropLine& out) {
  const bool in = e.direction == DIRECTION_IN;
  const IpAddress local = IpAddress::of(e.family, e.local_addr),
                  remote = IpAddress::of(e.family, e.remote_addr);
  out.src = in ? remote : local;
  out.dst = in ? local : remote;
  out.src_port = in ? e.remote_port : e.local_port;
  out.dst_port = in ? e.local_port : e.remote_port;
  out.has_ports = e.local_port != 0 || e.remote_port != 0;
  if (e.socket_protocol != 0 && e.socket_protocol < 256) {
    out.protocol = ip_protocol_name(static_cast<std::uint8_t>(e.socket_protocol));
  } else if (e.socket_protocol == 262) {  // IPPROTO_MPTCP
    out.protocol = ip_protocol_name(kTcp);
  }
}

void take_headers(const drops_event& e, DropLine& out) {
  const PacketHeaders h = parse_packet(
      std::as_bytes(std::span(e.header, std::min<std::size_t>(e.header_size, DROPS_HEADER_BYTES))),
      e.ethertype);
  out.protocol = protocol_name(h);
  if (h.ip) {
    out.src = h.ip->source;
    out.dst = h.ip->destination;
    out.src_port = h.ip->source_port;
    out.dst_port = h.ip->destination_port;
    out.has_ports = h.ip->has_ports;
    if (h.ip->tcp) {
      out.tcp_flags = h.ip->tcp->flags;
      out.sequence = h.ip->tcp->sequence;
      out.payload_bytes = h.ip->tcp->payload_bytes;
    }
  }
  out.inner = h.inner;
}

// A reset that is sent goes back to where the packet that provoked it came from.
void turn_round(DropLine& out) {
  std::swap(out.src, out.dst);
  std::swap(out.src_port, out.dst_port);
  out.sequence.reset();
}

bool is_valid(const drops_event& e) {
  return e.type < DROPS_COUNTER && e.direction <= DIRECTION_FORWARD && e.owner_source <= OWNER_TABLE &&
         e.kind <= KIND_RECEIVED;
}

}  // namespace

bool decode_drop(std::span<const std::byte> record, const BootClock& clock, DropLine& out) {
  if (record.size() < sizeof(drops_event)) return false;
  const auto& e = *reinterpret_cast<const drops_event*>(record.data());
  if (!is_valid(e)) return false;
  out.type = static_cast<drops_type>(e.type);
  out.origin.time = clock.to_unix({e.time_ns});
  out.origin.netns = e.netns;
  out.location_address = e.location;
  out.reason_number = e.reason;
  out.has_reason = (e.known & KNOWN_REASON) != 0;
  out.ifindex = e.ifindex;
  out.direction = static_cast<drops_direction>(e.direction);
  out.kind = static_cast<drops_kind>(e.kind);
  out.dev = {e.dev, ::strnlen(e.dev, sizeof e.dev)};
  if ((e.known & KNOWN_STATE) != 0 && e.state <= kStates) out.state = e.state;
  if (e.header_size != 0) take_headers(e, out);
  const bool ends = (e.known & KNOWN_ENDS) != 0;
  if (out.type == DROPS_RESET) {
    if (ends) {
      take_ends(e, out);
    } else {
      turn_round(out);
    }
    out.tcp_flags = kTcpRst;
    out.protocol = ip_protocol_name(kTcp);
    return true;
  }
  if (out.type == DROPS_RETRANSMIT) {
    if (ends) take_ends(e, out);
    out.protocol = ip_protocol_name(kTcp);
    if ((e.known & KNOWN_SEQUENCE) != 0) out.sequence = e.sequence, out.length_bytes = e.length;
    if ((e.known & KNOWN_RTT) != 0) out.srtt_us = e.srtt_us;
    out.retransmits = e.retransmits;
    return true;
  }
  if (out.src.family() == IpAddress::Family::none && ends) take_ends(e, out);
  out.length_bytes = e.length;
  return true;
}

std::optional<SocketPlace> socket_place(const DropLine& l) {
  if (!l.has_ports || l.origin.netns == 0 || l.direction == DIRECTION_UNKNOWN ||
      l.direction == DIRECTION_FORWARD)
    return std::nullopt;
  const auto protocol = ip_protocol_number(l.protocol == "vxlan" ? "udp" : l.protocol);
  if (!protocol) return std::nullopt;
  SocketPlace place{l.origin.netns, *protocol, l.src, l.dst, l.src_port, l.dst_port};
  if (l.direction == DIRECTION_IN) {
    std::swap(place.local, place.remote);
    std::swap(place.local_port, place.remote_port);
  }
  return place;
}

}  // namespace plumb
