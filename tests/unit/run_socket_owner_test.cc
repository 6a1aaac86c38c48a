// Which socket of a search's answers a packet is proven to have been for.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <netinet/in.h>

#include <cstring>

#include "run/socket_owner.h"

using namespace plumb;

namespace {

constexpr std::uint8_t kListen = 10;

socket_found socket_at(std::uint64_t inode, std::uint32_t pid, const char* local, std::uint16_t port) {
  socket_found s{};
  s.inode = inode;
  s.since_ns = 100;
  s.task.pid = pid;
  s.netns = 7;
  s.selected = 1;
  s.is_owner = 1;
  s.family = std::strchr(local, ':') == nullptr ? AF_INET : AF_INET6;
  inet_pton(s.family, local, s.local_addr);
  s.local_port = port;
  s.protocol = IPPROTO_UDP;
  return s;
}

SocketPlace place(const char* local, std::uint16_t port) {
  return {7, IPPROTO_UDP, *IpAddress::parse(local), *IpAddress::parse("10.0.0.9"), port, 5000};
}

std::uint32_t owner(const OwnerSearch& search, const SocketPlace& at, std::uint64_t time = 200) {
  const socket_found* found = search.by_place(at, {time});
  return found == nullptr ? 0 : found->task.pid;
}

}  // namespace

TEST_CASE("a packet's socket is the one that fits best") {
  OwnerSearch search;
  socket_found connected = socket_at(3, 30, "10.0.0.1", 53);
  inet_pton(AF_INET, "10.0.0.9", connected.remote_addr);
  connected.remote_port = 5000;
  search.set_answers({socket_at(1, 10, "0.0.0.0", 53), socket_at(2, 20, "10.0.0.1", 53), connected});
  CHECK(owner(search, place("10.0.0.1", 53)) == 30);
  CHECK(owner(search, place("10.0.0.2", 53)) == 10);
  CHECK(owner(search, place("10.0.0.1", 54)) == 0);
  search.set_answers({socket_at(1, 10, "::", 53)});
  CHECK(owner(search, place("10.0.0.1", 53)) == 10);
  search.set_answers({socket_at(1, 10, "10.0.0.2", 53)});
  CHECK(owner(search, place("10.0.0.1", 53)) == 0);
}

TEST_CASE("a socket that came to its place after the packet is not its owner") {
  OwnerSearch search;
  search.set_answers({socket_at(1, 10, "10.0.0.1", 53)});
  CHECK(owner(search, place("10.0.0.1", 53), 100) == 10);
  CHECK(owner(search, place("10.0.0.1", 53), 99) == 0);
}

TEST_CASE("sockets of several processes at one place tell nothing") {
  OwnerSearch search;
  search.set_answers({socket_at(1, 10, "10.0.0.1", 53), socket_at(2, 10, "10.0.0.1", 53)});
  CHECK(owner(search, place("10.0.0.1", 53)) == 10);  // SO_REUSEPORT in one process
  search.set_answers({socket_at(1, 10, "10.0.0.1", 53), socket_at(2, 11, "10.0.0.1", 53)});
  CHECK(owner(search, place("10.0.0.1", 53)) == 0);
}

TEST_CASE("of several processes with one socket its owner is taken") {
  OwnerSearch search;
  socket_found parent = socket_at(1, 10, "10.0.0.1", 53);
  parent.is_owner = 0;
  search.set_answers({parent, socket_at(1, 11, "10.0.0.1", 53)});
  CHECK(owner(search, place("10.0.0.1", 53)) == 11);
  CHECK(search.by_inode(1)->task.pid == 11);
  CHECK(search.by_inode(2) == nullptr);
}

TEST_CASE("a TCP socket that neither listens nor is connected gets no packets") {
  OwnerSearch search;
  socket_found s = socket_at(1, 10, "10.0.0.1", 80);
  s.protocol = IPPROTO_TCP;
  SocketPlace at = place("10.0.0.1", 80);
  at.protocol = IPPROTO_TCP;
  search.set_answers({s});
  CHECK(owner(search, at) == 0);
  s.state = kListen;
  search.set_answers({s});
  CHECK(owner(search, at) == 10);
}

TEST_CASE("a search has bounded room") {
  OwnerSearch search;
  for (std::size_t i = 0; i < OwnerSearch::kMaxWanted; ++i) CHECK(search.want(i + 1));
  CHECK(search.want(5));  // it is wanted already
  CHECK_FALSE(search.want(OwnerSearch::kMaxWanted + 5));
  CHECK_FALSE(search.due({0}));  // nothing was started
}
