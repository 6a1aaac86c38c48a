#include "run/address_options.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

#include "bpf/address_filter.h"

using namespace plumb;

namespace {

address_filter constants_of(std::string_view ports, std::string_view hosts) {
  std::vector<PortRange> p;
  std::vector<HostPrefix> h;
  REQUIRE(add_ports(p, ports));
  REQUIRE(add_hosts(h, hosts));
  address_filter out;
  std::memset(&out, 0xff, sizeof out);  // what was there before does not stay
  set_addresses(out, p, h);
  return out;
}

std::string repeated(std::string_view item, std::size_t n) {
  std::string out(item);
  for (std::size_t i = 1; i < n; ++i) out.append(",").append(item);
  return out;
}

}  // namespace

TEST_CASE("ports are one, a range, or all but these") {
  const address_filter c = constants_of("443,8000-8099,!22", "::1");
  REQUIRE(c.ports == 3);
  CHECK(c.port[0].low == 443);
  CHECK(c.port[0].high == 443);
  CHECK(c.port[0].exclude == 0);
  CHECK(c.port[1].high == 8099);
  CHECK(c.port[2].exclude == 1);
  CHECK(c.port[3].low == 0);
  CHECK(c.some_ports == 1);
}

TEST_CASE("a list of exclusions names nothing to include") {
  const address_filter c = constants_of("!22,!80-90", "!10.0.0.0/8");
  CHECK(c.some_ports == 0);
  CHECK(c.some_hosts == 0);
  CHECK(c.hosts == 1);
}

TEST_CASE("what lies behind a prefix's length does not count") {
  const address_filter c = constants_of("1", "10.1.2.3/12,fd00::ffff/120,!127.0.0.1");
  REQUIRE(c.hosts == 3);
  const auto bytes = [](const __u32* words) { return std::string(reinterpret_cast<const char*>(words), 16); };
  CHECK(bytes(c.host[0].mask) == std::string("\xff\xf0\0\0", 4) + std::string(12, '\0'));
  CHECK(bytes(c.host[0].addr) == std::string("\x0a\0\0\0", 4) + std::string(12, '\0'));
  CHECK(c.host[0].family == AF_INET);
  CHECK(bytes(c.host[1].mask) == std::string(15, '\xff') + std::string(1, '\0'));
  CHECK(bytes(c.host[1].addr) == std::string("\xfd") + std::string(13, '\0') + std::string("\xff\0", 2));
  CHECK(c.host[1].family == AF_INET6);
  CHECK(c.host[2].exclude == 1);
  CHECK(bytes(c.host[2].mask).substr(0, 4) == "\xff\xff\xff\xff");
  CHECK(c.some_hosts == 1);
}

TEST_CASE("more than the kernel side takes, and what is neither port nor address, is refused") {
  std::vector<PortRange> ports;
  std::vector<HostPrefix> hosts;
  CHECK(add_ports(ports, repeated("80", FILTER_MAX_PORTS)));
  REQUIRE_FALSE(add_ports(ports, "81"));
  CHECK(add_ports(ports, "81").error().what == "too many ports");
  CHECK(add_hosts(hosts, repeated("::1", FILTER_MAX_HOSTS)));
  CHECK(add_hosts(hosts, "::2").error().what == "too many hosts");
  for (const char* bad : {"0", "65536", "90-80", "x", "80-", "-80", "!"}) {
    ports.clear();
    CHECK_MESSAGE(!add_ports(ports, bad).ok(), bad);
  }
  hosts.clear();
  CHECK_FALSE(add_hosts(hosts, "10.0.0.0/33").ok());
}
