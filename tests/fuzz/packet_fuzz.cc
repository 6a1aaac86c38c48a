// Headers of any bytes: parsing is bounded, and what it says of a packet, a longer capture of it says as
// well.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "packet/headers.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto ethertype = static_cast<std::uint16_t>(data[0] << 8 | data[1]);
  const auto bytes = std::as_bytes(std::span(data + 2, size - 2));
  const plumb::PacketHeaders h = plumb::parse_packet(bytes, ethertype);
  require(h.vlan_tags <= 4);
  require(h.ip.has_value() || !h.inner.has_value());
  require((h.tunnel != plumb::Tunnel::none) || !h.inner.has_value());
  require(!(h.ip && h.ip->fragment && h.ip->has_ports));
  if (h.ip && h.ip->tcp) require(h.ip->has_ports && h.ip->protocol == 6);
  require(plumb::protocol_name(h).size() < 16);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const plumb::PacketHeaders part = plumb::parse_packet(bytes.first(cut), ethertype);
    if (part.ip && h.ip && part.ip->has_ports) {
      require(h.ip->has_ports && part.ip->source_port == h.ip->source_port);
    }
  }
  return 0;
}
