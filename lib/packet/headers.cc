#include "packet/headers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace plumb {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kIpv6 = 0x86dd;
constexpr std::uint16_t kVlan = 0x8100, kServiceVlan = 0x88a8, kTransparentEthernet = 0x6558;
constexpr std::uint8_t kTcp = 6, kUdp = 17, kGre = 47, kSctp = 132;
constexpr std::uint8_t kIpInIp = 4, kIpv6InIp = 41;
constexpr std::uint16_t kVxlanPort = 4789;  // RFC 7348, section 5
constexpr std::size_t kEthernetHeader = 14;

struct NamedProtocol {
  std::uint8_t number;
  std::string_view name;
};
// IANA's registry, the part that a host meets.
constexpr NamedProtocol kProtocols[] = {
    {1, "icmp"},  {2, "igmp"},   {4, "ipip"},   {6, "tcp"},    {17, "udp"},     {33, "dccp"},
    {41, "ipv6"}, {47, "gre"},   {50, "esp"},   {51, "ah"},    {58, "icmpv6"},  {89, "ospf"},
    {103, "pim"}, {112, "vrrp"}, {115, "l2tp"}, {132, "sctp"}, {136, "udplite"}};

std::uint8_t u8(Bytes b, std::size_t at) {
  return std::to_integer<std::uint8_t>(b[at]);
}
std::uint16_t u16(Bytes b, std::size_t at) {
  return static_cast<std::uint16_t>(u8(b, at) << 8 | u8(b, at + 1));
}
std::uint32_t u32(Bytes b, std::size_t at) {
  return std::uint32_t{u16(b, at)} << 16 | u16(b, at + 2);
}
Bytes behind(Bytes b, std::size_t n) {
  return b.size() > n ? b.subspan(n) : Bytes{};
}
const std::uint8_t* raw(Bytes b, std::size_t at) {
  return reinterpret_cast<const std::uint8_t*>(b.data() + at);
}

struct IpPacket {
  IpLayer layer;
  Bytes payload;                   // of what was captured
  std::uint32_t payload_size = 0;  // by the header
};

std::optional<IpPacket> parse_ipv4(Bytes b) {
  if (b.size() < 20 || u8(b, 0) >> 4 != 4) return std::nullopt;
  const std::size_t header = (u8(b, 0) & 15U) * 4U;
  if (header < 20) return std::nullopt;
  IpPacket p;
  p.layer.source = IpAddress::v4(raw(b, 12));
  p.layer.destination = IpAddress::v4(raw(b, 16));
  p.layer.protocol = u8(b, 9);
  p.layer.fragment = (u16(b, 6) & 0x1fffU) != 0;
  const std::uint32_t total = u16(b, 2);
  p.payload = behind(b, header);
  p.payload_size = total > header ? total - static_cast<std::uint32_t>(header) : 0;
  return p;
}

// RFC 8200, section 4. At most 8 extension headers: more is an attack, and the bytes end before.
std::optional<IpPacket> parse_ipv6(Bytes b) {
  if (b.size() < 40 || u8(b, 0) >> 4 != 6) return std::nullopt;
  IpPacket p;
  p.layer.source = IpAddress::v6(raw(b, 8));
  p.layer.destination = IpAddress::v6(raw(b, 24));
  p.payload_size = u16(b, 4);
  p.payload = behind(b, 40);
  std::uint8_t next = u8(b, 6);
  for (int i = 0; i < 8; ++i) {
    if (next != 0 && next != 43 && next != 44 && next != 60 && next != 51) break;
    if (p.payload.size() < 8) {
      p.payload = {};
      break;
    }
    const std::uint8_t following = u8(p.payload, 0);
    std::size_t size = 8;
    if (next == 51) {
      size = (u8(p.payload, 1) + 2U) * 4U;
    } else if (next != 44) {
      size = (u8(p.payload, 1) + 1U) * 8U;
    } else if ((u16(p.payload, 2) & 0xfff8U) != 0) {
      p.layer.fragment = true;
    }
    p.payload = behind(p.payload, size);
    p.payload_size -= std::min(p.payload_size, static_cast<std::uint32_t>(size));
    next = following;
    if (p.layer.fragment) break;
  }
  p.layer.protocol = next;
  return p;
}

void parse_transport(IpPacket& p) {
  IpLayer& l = p.layer;
  if (l.fragment || p.payload.size() < 4) return;
  if (l.protocol != kTcp && l.protocol != kUdp && l.protocol != kSctp) return;
  l.has_ports = true;
  l.source_port = u16(p.payload, 0);
  l.destination_port = u16(p.payload, 2);
  if (l.protocol != kTcp || p.payload.size() < 14) return;
  const std::uint32_t header = (u8(p.payload, 12) >> 4) * 4U;
  l.tcp =
      TcpHeader{u32(p.payload, 4), u8(p.payload, 13), p.payload_size > header ? p.payload_size - header : 0};
}

std::optional<IpPacket> parse_ip(Bytes b, std::uint16_t ethertype) {
  std::optional<IpPacket> p;
  if (ethertype == kIpv4) p = parse_ipv4(b);
  if (ethertype == kIpv6) p = parse_ipv6(b);
  if (p) parse_transport(*p);
  return p;
}

void skip_vlan_tags(Bytes& b, PacketHeaders& h) {
  while ((h.ethertype == kVlan || h.ethertype == kServiceVlan) && b.size() >= 4 && h.vlan_tags < 4) {
    h.ethertype = u16(b, 2);
    b = b.subspan(4);
    ++h.vlan_tags;
  }
}

std::optional<IpLayer> inner_ip(Bytes b, std::uint16_t ethertype) {
  const auto p = parse_ip(b, ethertype);
  return p ? std::optional(p->layer) : std::nullopt;
}

std::optional<IpLayer> inner_ethernet(Bytes b) {
  if (b.size() < kEthernetHeader) return std::nullopt;
  PacketHeaders h;
  h.ethertype = u16(b, 12);
  b = behind(b, kEthernetHeader);
  skip_vlan_tags(b, h);
  return inner_ip(b, h.ethertype);
}

// RFC 2784 and 2890: flags say which of checksum, key and sequence number follow.
void parse_gre(Bytes b, PacketHeaders& h) {
  h.tunnel = Tunnel::gre;
  if (b.size() < 4 || (u8(b, 1) & 7U) != 0) return;
  std::size_t size = 4;
  for (const unsigned flag : {0x80U, 0x20U, 0x10U}) {
    if ((u8(b, 0) & flag) != 0) size += 4;
  }
  const std::uint16_t carried = u16(b, 2);
  b = behind(b, size);
  h.inner = carried == kTransparentEthernet ? inner_ethernet(b) : inner_ip(b, carried);
}

void parse_tunnel(const IpPacket& p, PacketHeaders& h) {
  if (p.layer.fragment) return;
  if (p.layer.protocol == kIpInIp || p.layer.protocol == kIpv6InIp) {
    h.tunnel = Tunnel::ip;
    h.inner = inner_ip(p.payload, p.layer.protocol == kIpInIp ? kIpv4 : kIpv6);
  } else if (p.layer.protocol == kGre) {
    parse_gre(p.payload, h);
  } else if (p.layer.protocol == kUdp && p.layer.has_ports && p.layer.destination_port == kVxlanPort &&
             p.payload.size() >= 16 && u8(p.payload, 8) == 0x08) {  // the I flag alone
    h.tunnel = Tunnel::vxlan;
    h.inner = inner_ethernet(behind(p.payload, 16));
  }
}

// RFC 826 for IPv4 over Ethernet.
std::optional<IpLayer> parse_arp(Bytes b) {
  if (b.size() < 28 || u16(b, 2) != kIpv4 || u8(b, 4) != 6 || u8(b, 5) != 4) return std::nullopt;
  IpLayer l;
  l.source = IpAddress::v4(raw(b, 14));
  l.destination = IpAddress::v4(raw(b, 24));
  return l;
}

}  // namespace

PacketHeaders parse_packet(Bytes bytes, std::uint16_t ethertype) {
  PacketHeaders h;
  h.ethertype = ethertype;
  skip_vlan_tags(bytes, h);
  if (h.ethertype == kArp) {
    h.ip = parse_arp(bytes);
    return h;
  }
  const auto p = parse_ip(bytes, h.ethertype);
  if (!p) return h;
  h.ip = p->layer;
  parse_tunnel(*p, h);
  return h;
}

std::string_view ip_protocol_name(std::uint8_t protocol) {
  static const auto names = [] {
    std::array<std::string, 256> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = "ip-" + std::to_string(i);
    for (const NamedProtocol& p : kProtocols) out[p.number] = p.name;
    return out;
  }();
  return names[protocol];
}

std::optional<std::uint8_t> ip_protocol_number(std::string_view name) {
  for (unsigned i = 0; i < 256; ++i) {
    if (ip_protocol_name(static_cast<std::uint8_t>(i)) == name) return static_cast<std::uint8_t>(i);
  }
  unsigned number = 0;
  const auto [rest, status] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (status != std::errc{} || rest != name.data() + name.size() || number > 255) return std::nullopt;
  return static_cast<std::uint8_t>(number);
}

std::string_view protocol_name(const PacketHeaders& h) {
  if (h.tunnel == Tunnel::vxlan) return "vxlan";
  if (h.ethertype == kArp) return "arp";
  if (h.ip) return ip_protocol_name(h.ip->protocol);
  return h.ethertype == kIpv4 ? "ipv4" : h.ethertype == kIpv6 ? "ipv6" : std::string_view{};
}

std::string_view tcp_flags_text(std::uint8_t flags) {
  static const auto texts = [] {
    constexpr std::string_view kNames[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    std::array<std::string, 256> out;
    for (unsigned i = 0; i < 256; ++i) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        if ((i >> bit & 1U) != 0) out[i] += (out[i].empty() ? "" : "|") + std::string(kNames[bit]);
      }
    }
    return out;
  }();
  return texts[flags];
}

}  // namespace plumb
