// The headers of one packet, from its network header on: VLAN tags, ARP, IPv4, IPv6 with extension headers,
// TCP, UDP, ICMP, and one level of tunnel (IP in IP, GRE, VXLAN). A pure parser of hostile bytes: bounded, no
// allocation, and what is cut off is simply not known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/ip.h"

namespace plumb {

struct TcpHeader {
  std::uint32_t sequence = 0;
  std::uint8_t flags = 0;           // FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128
  std::uint32_t payload_bytes = 0;  // by the IP header's length; of what may be cut off as well
};

struct IpLayer {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;  // meaningless without has_ports
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;  // IPPROTO_*
  bool has_ports = false;     // TCP, UDP, SCTP, and not a later fragment
  bool fragment = false;      // a fragment other than the first
  std::optional<TcpHeader> tcp;
};

enum class Tunnel : std::uint8_t { none, ip, gre, vxlan };

struct PacketHeaders {
  std::uint16_t ethertype = 0;  // behind VLAN tags
  std::uint8_t vlan_tags = 0;
  std::optional<IpLayer> ip;     // the outermost; for ARP its sender and target
  Tunnel tunnel = Tunnel::none;  // what `ip` carries
  std::optional<IpLayer> inner;  // the packet in the tunnel
};

// `bytes` begins at the network header, as `ethertype` (host byte order) says.
PacketHeaders parse_packet(std::span<const std::byte> bytes, std::uint16_t ethertype);

// "tcp", "icmpv6", "arp", "vxlan"; "ip-99" for IP protocols without a name here; empty when nothing is known.
std::string_view protocol_name(const PacketHeaders& headers);
std::string_view ip_protocol_name(std::uint8_t protocol);
// The number of what ip_protocol_name() gives, "arp" excluded.
std::optional<std::uint8_t> ip_protocol_number(std::string_view name);

// "SYN|ACK" in the order FIN SYN RST PSH ACK URG ECE CWR; a view into a table of all 256.
std::string_view tcp_flags_text(std::uint8_t flags);

}  // namespace plumb
