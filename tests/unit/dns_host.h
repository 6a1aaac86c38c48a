// A host whose lookups a Matcher follows, for tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dns/matcher.h"
#include "dns/names.h"
#include "unit/dns_build.h"

namespace dns_host {

using namespace plumb;
using namespace plumb::dns;
using dns_build::Bytes;

inline BootTime ms(std::uint64_t n) {
  return {1'000'000'000 + n * 1'000'000};
}

inline Endpoint end(std::string_view address, std::uint16_t port) {
  return {*IpAddress::parse(address), port};
}

inline Owner owner_of(std::uint32_t pid) {
  Owner o;
  o.pid = o.tid = pid;
  return o;
}

struct OneList final : SearchLists {
  ResolvConf conf;
  const ResolvConf& of(const Owner&) override { return conf; }
};

// A host with one client, and what is told of it, one line a lookup.
struct Host {
  explicit Host(Matcher::Options options = {}) : matcher(options) {}

  Matcher matcher;
  Owner owner = owner_of(42);
  Endpoint client = end("10.0.0.2", 40000);
  Endpoint server = end("10.0.0.53", 53);
  std::uint64_t socket = 0xabc;
  std::uint32_t netns = 1;
  std::uint32_t ifindex = 2;
  Transport transport = Transport::udp;
  std::uint32_t sequence = 1;

  Sighting sighting(std::uint64_t at, Direction direction, const Bytes& bytes) {
    Sighting s;
    s.time = ms(at);
    s.direction = direction;
    s.transport = transport;
    s.netns = netns;
    s.ifindex = ifindex;
    s.payload = bytes;
    s.length = static_cast<std::uint32_t>(bytes.size());
    s.sequence = sequence;
    return s;
  }
  void ask(std::uint64_t at, const Bytes& bytes) {
    Sighting s = sighting(at, Direction::sent, bytes);
    s.socket = socket;
    s.source = client;
    s.destination = server;
    s.owner = owner.pid == 0 ? nullptr : &owner;
    matcher.see(s);
  }
  // It leaves, at the same time or later, for its neighbour's address came: ask().
  void wait(std::uint64_t at, const Bytes& bytes) {
    Sighting s = sighting(at, Direction::sent, bytes);
    s.waits = true;
    s.socket = socket;
    s.source = client;
    s.destination = server;
    s.owner = owner.pid == 0 ? nullptr : &owner;
    matcher.see(s);
  }
  // The server's side of the same.
  void arrive(std::uint64_t at, const Bytes& bytes) {
    Sighting s = sighting(at, Direction::received, bytes);
    s.source = client;
    s.destination = server;
    matcher.see(s);
  }
  void reply(std::uint64_t at, const Bytes& bytes, const Owner& by) {
    Sighting s = sighting(at, Direction::sent, bytes);
    s.socket = 0xdef;
    s.source = server;
    s.destination = client;
    s.owner = &by;
    matcher.see(s);
  }
  void answer(std::uint64_t at, const Bytes& bytes) {
    Sighting s = sighting(at, Direction::received, bytes);
    s.source = server;
    s.destination = client;
    matcher.see(s);
  }
  void refuse(std::uint64_t at, std::optional<std::uint16_t> id = std::nullopt) {
    matcher.see(Unreachable{ms(at), netns, client, server, id});
  }
  void read(std::uint64_t at) { matcher.see(Pickup{ms(at), socket, &owner, transport}); }

  static std::string_view name(Outcome o) {
    constexpr std::string_view kNames[] = {"answered",    "nodata",    "timeout", "late",     "pending",
                                           "unreachable", "encrypted", "failed",  "malformed"};
    return kNames[static_cast<std::size_t>(o)];
  }
  std::string told() {
    std::string out;
    while (const Lookup* l = matcher.next()) {
      out += l->name + " " + std::string(name(l->outcome)) + " x" + std::to_string(l->attempts);
      if (l->answered) out += " " + std::to_string((l->answered->ns - l->asked.ns) / 1'000'000) + "ms";
      if (l->picked_up) out += " read+" + std::to_string((l->picked_up->ns - l->answered->ns) / 1'000'000);
      if (l->role == Role::server) out += " server";
      if (l->transport == Transport::tcp) out += " tcp";
      if (l->truncated) out += " TC";
      if (l->misfits != 0) out += " misfits" + std::to_string(l->misfits);
      if (!l->search_of.empty()) out += " of:" + l->search_of;
      out += "; ";
    }
    return out;
  }
};

inline Matcher::Options no_pickup() {
  Matcher::Options o;
  o.pickup = false;
  return o;
}

inline Bytes a(unsigned id, std::string_view name) {
  return dns_build::response(id, name, kA, {dns_build::address(192, 0, 2, 1)});
}
inline Bytes empty(unsigned id, std::string_view name, unsigned rcode) {
  return dns_build::response(id, name, kA, {}, 0x8180 | rcode);
}

}  // namespace dns_host
