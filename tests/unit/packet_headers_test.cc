#include "packet/headers.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace plumb;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

PacketHeaders parse(const Bytes& b, std::uint16_t ethertype) {
  return parse_packet(std::as_bytes(std::span(b)), ethertype);
}

std::string text(const IpAddress& a) {
  char out[IpAddress::kMaxText];
  return std::string(out, a.format(out));
}

Bytes ipv4(std::uint8_t protocol, const Bytes& payload, std::uint16_t fragment = 0) {
  const auto total = static_cast<std::uint16_t>(20 + payload.size());
  return Bytes{0x45,
               0,
               static_cast<std::uint8_t>(total >> 8),
               static_cast<std::uint8_t>(total),
               0,
               1,
               static_cast<std::uint8_t>(fragment >> 8),
               static_cast<std::uint8_t>(fragment),
               64,
               protocol,
               0,
               0,
               192,
               0,
               2,
               1,
               198,
               51,
               100,
               2} +
         payload;
}

Bytes ipv6(std::uint8_t next, const Bytes& payload) {
  Bytes b{0x60,
          0,
          0,
          0,
          static_cast<std::uint8_t>(payload.size() >> 8),
          static_cast<std::uint8_t>(payload.size()),
          next,
          64};
  Bytes source(16, 0), destination(16, 0);
  source[0] = destination[0] = 0xfd;
  source[15] = 1;
  destination[15] = 2;
  return b + source + destination + payload;
}

const Bytes kUdp{0x10, 0x92, 0x00, 0x35, 0, 12, 0, 0, 'a', 'b', 'c', 'd'};  // 4242 -> 53
const Bytes kTcp{0x10, 0x92, 0x01, 0xbb, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0, 'x', 'y', 'z'};

}  // namespace

TEST_CASE("UDP over IPv4") {
  const auto h = parse(ipv4(17, kUdp), 0x0800);
  REQUIRE(h.ip.has_value());
  CHECK(text(h.ip->source) == "192.0.2.1");
  CHECK(text(h.ip->destination) == "198.51.100.2");
  CHECK(h.ip->has_ports);
  CHECK(h.ip->source_port == 4242);
  CHECK(h.ip->destination_port == 53);
  CHECK_FALSE(h.ip->tcp.has_value());
  CHECK(protocol_name(h) == "udp");
  CHECK_FALSE(h.inner.has_value());
}

TEST_CASE("TCP: flags, sequence, payload") {
  const auto h = parse(ipv4(6, kTcp), 0x0800);
  REQUIRE((h.ip && h.ip->tcp));
  CHECK(h.ip->tcp->sequence == 0x01020304);
  CHECK(h.ip->tcp->payload_bytes == 3);
  CHECK(tcp_flags_text(h.ip->tcp->flags) == "SYN|ACK");
  CHECK(tcp_flags_text(0).empty());
  CHECK(tcp_flags_text(0xff) == "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR");
}

TEST_CASE("a later fragment has no ports") {
  const auto h = parse(ipv4(17, kUdp, 0x2001), 0x0800);
  REQUIRE(h.ip.has_value());
  CHECK(h.ip->fragment);
  CHECK_FALSE(h.ip->has_ports);
  CHECK(parse(ipv4(17, kUdp, 0x2000), 0x0800).ip->has_ports);  // the first has
}

TEST_CASE("IPv6 extension headers are stepped over") {
  const Bytes hop_by_hop{60, 0, 1, 4, 0, 0, 0, 0}, options{44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  const Bytes first_fragment{17, 0, 0, 1, 0, 0, 0, 9}, later_fragment{17, 0, 0, 8, 0, 0, 0, 9};
  const auto h = parse(ipv6(0, hop_by_hop + options + first_fragment + kUdp), 0x86dd);
  REQUIRE(h.ip.has_value());
  CHECK(text(h.ip->source) == "fd00::1");
  CHECK(h.ip->destination_port == 53);
  CHECK(protocol_name(h) == "udp");
  const auto later = parse(ipv6(44, later_fragment + kUdp), 0x86dd);
  CHECK(later.ip->protocol == 17);
  CHECK_FALSE(later.ip->has_ports);
  const Bytes authentication{6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  CHECK(parse(ipv6(51, authentication + kTcp), 0x86dd).ip->destination_port == 443);
}

TEST_CASE("extension headers without end") {
  Bytes chain;
  for (int i = 0; i < 12; ++i) chain = chain + Bytes{60, 0, 0, 0, 0, 0, 0, 0};
  const auto h = parse(ipv6(60, chain), 0x86dd);
  REQUIRE(h.ip.has_value());
  CHECK_FALSE(h.ip->has_ports);
}

TEST_CASE("VLAN tags, one in another") {
  const auto h = parse(Bytes{0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00} + ipv4(17, kUdp), 0x88a8);
  CHECK(h.vlan_tags == 2);
  REQUIRE(h.ip.has_value());
  CHECK(h.ip->source_port == 4242);
}

TEST_CASE("ARP gives sender and target") {
  const Bytes arp{0, 1, 8, 0, 6, 4, 0, 1, 1, 2, 3, 4, 5, 6, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
  const auto h = parse(arp, 0x0806);
  REQUIRE(h.ip.has_value());
  CHECK(protocol_name(h) == "arp");
  CHECK(text(h.ip->source) == "10.0.0.1");
  CHECK(text(h.ip->destination) == "10.0.0.2");
  CHECK_FALSE(h.ip->has_ports);
  CHECK_FALSE(parse(Bytes(27, 0), 0x0806).ip.has_value());
}

TEST_CASE("tunnels: the outer packet and the one in it") {
  const auto ipip = parse(ipv4(4, ipv4(17, kUdp)), 0x0800);
  CHECK(protocol_name(ipip) == "ipip");
  REQUIRE(ipip.inner.has_value());
  CHECK(ipip.inner->destination_port == 53);

  const auto six_in_four = parse(ipv4(41, ipv6(6, kTcp)), 0x0800);
  REQUIRE(six_in_four.inner.has_value());
  CHECK(text(six_in_four.inner->source) == "fd00::1");

  const auto gre =
      parse(ipv4(47, Bytes{0x20, 0, 0x08, 0x00, 0, 0, 0, 7} + ipv4(17, kUdp)), 0x0800);  // with a key
  CHECK(protocol_name(gre) == "gre");
  REQUIRE(gre.inner.has_value());
  CHECK(gre.inner->source_port == 4242);

  const Bytes ethernet{1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x08, 0x00};
  const Bytes vxlan{0xc0, 0, 0x12, 0xb5, 0, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 42, 0};
  const auto v = parse(ipv4(17, vxlan + ethernet + ipv4(6, kTcp)), 0x0800);
  CHECK(protocol_name(v) == "vxlan");
  CHECK(v.ip->destination_port == 4789);
  REQUIRE(v.inner.has_value());
  CHECK(v.inner->destination_port == 443);
}

TEST_CASE("every cut of every packet is taken without harm, and never says more than the whole") {
  const Bytes packets[] = {ipv4(6, kTcp),
                           ipv6(0, Bytes{44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0} + kUdp),
                           ipv4(47, Bytes{0xb0, 0, 0x65, 0x58} + Bytes(40, 0x45))};
  for (const Bytes& packet : packets) {
    for (std::size_t size = 0; size <= packet.size(); ++size) {
      const Bytes cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size));
      for (const std::uint16_t type :
           std::initializer_list<std::uint16_t>{0x0800, 0x86dd, 0x8100, 0x0806, 0x1234}) {
        const auto h = parse(cut, type);
        if (size < 20) CHECK_FALSE(h.ip.has_value());
      }
    }
  }
}

TEST_CASE("a header length below the least is no IPv4 header") {
  Bytes b = ipv4(17, kUdp);
  b[0] = 0x44;
  CHECK_FALSE(parse(b, 0x0800).ip.has_value());
}

TEST_CASE("names and numbers of protocols go both ways") {
  for (unsigned i = 0; i < 256; ++i) {
    const auto n = static_cast<std::uint8_t>(i);
    CHECK(ip_protocol_number(ip_protocol_name(n)) == n);
  }
  CHECK(ip_protocol_name(6) == "tcp");
  CHECK(ip_protocol_name(99) == "ip-99");
  CHECK(ip_protocol_number("47") == 47);
  CHECK_FALSE(ip_protocol_number("256").has_value());
  CHECK_FALSE(ip_protocol_number("tcpx").has_value());
  CHECK_FALSE(ip_protocol_number("").has_value());
}
