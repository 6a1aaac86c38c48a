// A lookup, and what it is put together from: packets that were seen at some place, and reads of sockets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/ip.h"
#include "dns/message.h"

namespace plumb::dns {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// The last two: DNS over TLS and over HTTPS (RFC 7858, RFC 8484), connections that are not decoded.
enum class Transport : std::uint8_t { udp, tcp, dot, doh };
enum class Direction : std::uint8_t { sent, received };
// Who asks, and who answers. On one host both may be seen of one lookup.
enum class Role : std::uint8_t { client, server };

enum class Outcome : std::uint8_t {
  answered,
  nodata,       // NOERROR without an answer of the type that was asked for
  timeout,      // no answer in time
  late,         // an answer, after the same lookup was told as a timeout
  pending,      // the trace ended first
  unreachable,  // ICMP says that there is no server, and nobody else was asked
  encrypted,    // not a lookup but a connection for them
  failed,       // of an application's call: an error that says nothing about the name
  malformed,    // the answer, or a part of it, is no DNS message
};

// The process behind a socket. Nothing here looks into `identity`: the caller puts in what it wants to find again.
struct Owner {
  static constexpr std::size_t kIdentityBytes = 72;
  std::uint32_t pid = 0;  // 0: not known
  std::uint32_t tid = 0;
  std::array<std::byte, kIdentityBytes> identity{};
};

// One packet, or a piece of one, at one place.
struct Sighting {
  BootTime time;
  Direction direction = Direction::sent;
  Transport transport = Transport::udp;
  std::uint32_t netns = 0;
  std::uint32_t ifindex =
      0;  // the device: the same packet passes several of them on its way through a bridge or a VLAN
  std::uint64_t socket =
      0;  // sent: the socket, any number that names it; 0: none, the packet is only forwarded
  Endpoint source;
  Endpoint destination;
  bool waits = false;  // sent: not yet, since its neighbour's address is not known; seen again if that comes
  const Owner* owner = nullptr;  // of a packet that was sent; nullptr: not known
  std::uint32_t sequence = 0;    // TCP
  bool syn = false;              // TCP
  std::span<const std::byte> payload;
  std::uint32_t length = 0;  // UDP: of the whole payload, of which less may be here
};

// ICMP says that a query over UDP did not reach its server.
struct Unreachable {
  BootTime time;
  std::uint32_t netns = 0;
  Endpoint client;
  Endpoint server;
  std::optional<std::uint16_t> id;  // of the query; nothing: ICMP brought too little of it
};

// The application has read from a socket.
struct Pickup {
  BootTime time;
  std::uint64_t socket = 0;
  const Owner* owner = nullptr;
  Transport transport = Transport::udp;
};

struct Lookup {
  Role role = Role::client;
  Outcome outcome = Outcome::pending;
  Transport transport = Transport::udp;  // of the answer; without one, of the last attempt
  bool truncated = false;                // an answer over UDP was truncated (TC)
  std::uint32_t netns = 0;
  Owner owner;
  BootTime asked;                     // the first query
  std::optional<BootTime> answered;   // the answer that counts
  std::optional<BootTime> picked_up;  // the application read that answer
  Endpoint client;
  Endpoint server;  // that answered; without an answer, that was asked last
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  std::uint16_t question_class = 0;
  std::uint16_t query_flags = 0;
  std::optional<std::uint16_t> query_edns_bytes;
  std::uint32_t attempts = 0;  // queries sent, retransmissions and those to other servers included
  std::uint32_t misfits = 0;   // answers to its port from a wrong server, or with a wrong id or question
  std::uint32_t request_bytes = 0;
  std::uint32_t response_bytes = 0;  // 0: no answer
  std::string name;                  // as the query has it
  std::string search_of;             // the wanted name, where a search list made `name` from it; else empty
  Owner caller;                      // the process whose call led to it; pid 0: not known
  Message answer;
};

}  // namespace plumb::dns
