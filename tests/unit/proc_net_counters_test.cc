#include "proc/net_counters.h"

#include <doctest/doctest.h>

using namespace plumb;

TEST_CASE("netstat and snmp: names and numbers in pairs of lines") {
  Counters c;
  parse_netstat("TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 1 23\nTcp: MaxConn InErrs\nTcp: -1 4\n", c);
  CHECK(c.at({"TcpExtListenOverflows", ""}) == 23);
  CHECK(c.at({"TcpInErrs", ""}) == 4);
  CHECK_FALSE(c.contains({"TcpMaxConn", ""}));
}

TEST_CASE("netstat: lines that do not belong together are skipped") {
  Counters c;
  parse_netstat("Tcp: A B\nUdp: 1 2\nIp: X\nIp: 7\n", c);
  CHECK(c.size() == 1);
  CHECK(c.at({"IpX", ""}) == 7);
  parse_netstat("", c);
  parse_netstat("no colon\n1 2\n", c);
  parse_netstat("A:", c);
  CHECK(c.size() == 1);
}

TEST_CASE("snmp6") {
  Counters c;
  parse_snmp6("Ip6InReceives                   \t7\nUdp6NoPorts\t\t18446744073709551615\nbroken\n\n", c);
  CHECK(c.at({"Ip6InReceives", ""}) == 7);
  CHECK(c.at({"Udp6NoPorts", ""}) == 18446744073709551615U);
  CHECK(c.size() == 2);
}

TEST_CASE("softnet: hexadecimal, summed over processors") {
  Counters c;
  parse_softnet("00000010 0000000a 00000001 0 0\n00000010 00000006 00000000 0 0\nbad\n", c);
  CHECK(c.at({"softnet_dropped", ""}) == 16);
  CHECK(c.at({"softnet_squeezed", ""}) == 1);
}

TEST_CASE("net/dev: a line a device") {
  Counters c;
  parse_net_dev(
      "Inter-|   Receive\n face |bytes    packets errs drop\n"
      "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
      "eth0:1: 1 2 30 40 5 6 7 8 9 10 11 120 13 14 15 16\n  cut: 1 2\n",
      c);
  CHECK(c.at({"rx_errors", "lo"}) == 3);
  CHECK(c.at({"rx_dropped", "lo"}) == 4);
  CHECK(c.at({"tx_dropped", "lo"}) == 12);
  CHECK(c.at({"tx_carrier_errors", "lo"}) == 15);
  CHECK(c.at({"tx_dropped", "eth0:1"}) == 120);
  CHECK_FALSE(c.contains({"rx_errors", "cut"}));
}

namespace {

class ProcOfNamespaces final : public ProcFs {
 public:
  Result<std::string> read(const std::string& path) const override { return Error{"no " + path}; }
  Result<std::string> read_link(const std::string& path) const override { return Error{"no " + path}; }
  Result<std::vector<std::string>> list(const std::string& directory) const override {
    CHECK(directory == "/proc");
    return std::vector<std::string>{"300", "net", "7", "20", "8", "9x"};
  }
  Result<std::vector<std::string>> list_directories(const std::string& d) const override { return list(d); }
  Result<std::uint64_t> inode(const std::string& path) const override {
    if (path == "/proc/8/ns/net") return Error{"it ended"};
    return path == "/proc/20/ns/net" ? 4026532001U : 4026532000U;
  }
};

}  // namespace

TEST_CASE("network namespaces, each with the lowest process in it") {
  const auto found = net_namespaces(ProcOfNamespaces{});
  REQUIRE(found.size() == 2);
  CHECK(found[0] == std::pair(4026532000U, 7U));
  CHECK(found[1] == std::pair(4026532001U, 20U));
}
