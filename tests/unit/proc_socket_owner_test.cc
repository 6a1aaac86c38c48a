#include "proc/socket_owner.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace plumb;

namespace {

// A made-up /proc, whose listings are counted.
class FakeProc final : public ProcFs {
 public:
  std::map<std::string, std::string> files, links;
  std::map<std::string, std::vector<std::string>> directories;
  std::map<std::string, std::uint64_t> inodes;
  mutable int scans = 0, table_reads = 0;

  void process(std::uint32_t pid, const std::string& comm, std::uint64_t netns,
               const std::vector<std::uint64_t>& sockets) {
    const std::string d = "/proc/" + std::to_string(pid);
    directories["/proc"].push_back(std::to_string(pid));
    inodes[d + "/ns/net"] = netns;
    files[d + "/comm"] = comm + "\n";
    files[d + "/status"] = "Name:\tx\nUid:\t1000\t1001\t1002\t1003\n";
    files[d + "/stat"] = std::to_string(pid) + " (a ) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0";
    auto& fds = directories[d + "/fd"];
    int fd = 3;
    for (const std::uint64_t inode : sockets) {
      fds.push_back(std::to_string(fd));
      links[d + "/fd/" + std::to_string(fd++)] = "socket:[" + std::to_string(inode) + "]";
    }
    fds.push_back("0");
    links[d + "/fd/0"] = "/dev/null";
  }

  Result<std::string> read(const std::string& path) const override {
    if (path.find("/net/") != std::string::npos) ++table_reads;
    const auto found = files.find(path);
    if (found == files.end()) return Error{"no " + path};
    return found->second;
  }
  Result<std::string> read_link(const std::string& path) const override {
    const auto found = links.find(path);
    if (found == links.end()) return Error{"no " + path};
    return found->second;
  }
  Result<std::vector<std::string>> list(const std::string& path) const override {
    if (path == "/proc") ++scans;
    const auto found = directories.find(path);
    if (found == directories.end()) return Error{"no " + path};
    return found->second;
  }
  Result<std::vector<std::string>> list_directories(const std::string& path) const override {
    return list(path);
  }
  Result<std::uint64_t> inode(const std::string& path) const override {
    const auto found = inodes.find(path);
    if (found == inodes.end()) return Error{"no " + path};
    return found->second;
  }
};

class HandClock final : public ClockSource {
 public:
  std::uint64_t ns = 1'000'000'000;
  BootTime boot() const override { return {ns}; }
  UnixTime real() const override { return {0}; }
};

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

constexpr const char* kHead =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
constexpr const char* kUdp =
    "  1: 00000000:1092 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0 0\n"
    "  2: 0100007F:1092 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 78 2 0 0\n"
    "  3: 0100007F:1092 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 79 2 0 0\n";

}  // namespace

TEST_CASE("a socket's inode leads to the process that has it") {
  FakeProc proc;
  HandClock clock;
  proc.process(20, "other", 1, {5});
  proc.process(10, "server", 1, {77, 78});
  SocketOwners owners(proc, clock);
  const SocketOwner* owner = owners.by_inode(78);
  REQUIRE(owner != nullptr);
  CHECK(owner->pid == 10);
  CHECK(owner->comm == "server");
  CHECK(owner->uid == 1001);  // effective
  CHECK(owner->start_ns % 1'000'000 == 0);
  CHECK(owner->start_ns > 0);  // although the name holds ") "
  CHECK(owners.by_inode(5)->pid == 20);
  CHECK(proc.scans == 1);
  CHECK(owners.by_inode(0) == nullptr);
}

TEST_CASE("unknown sockets do not make it scan without end") {
  FakeProc proc;
  HandClock clock;
  proc.process(10, "server", 1, {77});
  SocketOwners owners(proc, clock);
  for (int i = 0; i < 1000; ++i) CHECK(owners.by_inode(1234) == nullptr);
  CHECK(proc.scans == 1);
  clock.ns += 200'000'000;
  proc.process(11, "late", 1, {1234});
  REQUIRE(owners.by_inode(1234) != nullptr);
  CHECK(proc.scans == 2);
}

TEST_CASE("a process that went away is nobody") {
  FakeProc proc;
  HandClock clock;
  proc.process(10, "server", 1, {77});
  SocketOwners owners(proc, clock);
  CHECK(owners.process_in(1) == 10);
  proc.files.erase("/proc/10/comm");
  CHECK(owners.by_inode(77) == nullptr);
}

TEST_CASE("the connected socket is preferred to the bound one, that to one for all addresses") {
  FakeProc proc;
  HandClock clock;
  proc.process(10, "server", 9, {77, 78, 79});
  proc.files["/proc/10/net/udp"] = std::string(kHead) + kUdp;
  SocketOwners owners(proc, clock);
  const auto find = [&](const char* local, const char* remote, std::uint16_t port) {
    return owners.find(9, {17, ip(local), 4242, ip(remote), port});
  };
  CHECK(find("127.0.0.1", "127.0.0.1", 53) == 79);
  CHECK(find("127.0.0.1", "127.0.0.1", 54) == 78);
  CHECK(find("192.0.2.7", "192.0.2.8", 53) == 77);
  CHECK(owners.find(9, {17, ip("127.0.0.1"), 4243, ip("127.0.0.1"), 53}) == 0);
  CHECK(owners.find(8, {17, ip("127.0.0.1"), 4242, ip("127.0.0.1"), 53}) == 0);  // another namespace
  CHECK(owners.find(9, {1, ip("127.0.0.1"), 4242, ip("127.0.0.1"), 53}) == 0);   // ICMP has no table here
}

TEST_CASE("a TCP socket that neither listens nor is connected there does not count") {
  FakeProc proc;
  HandClock clock;
  proc.process(10, "server", 9, {});
  proc.files["/proc/10/net/tcp6"] = std::string(kHead) +
                                    "  0: 00000000000000000000000000000000:1F90 "
                                    "00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 55 1 0\n"
                                    "  1: 00000000000000000000000001000000:1F91 "
                                    "00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 56 1 0\n";
  SocketOwners owners(proc, clock);
  CHECK(owners.find(9, {6, ip("::1"), 8080, ip("::1"), 5}) == 55);
  CHECK(owners.find(9, {6, ip("127.0.0.1"), 8080, ip("127.0.0.1"), 5}) == 55);  // dual stack
  CHECK(owners.find(9, {6, ip("::1"), 8081, ip("::1"), 5}) == 0);
}

TEST_CASE("a table is read again when it is old") {
  FakeProc proc;
  HandClock clock;
  proc.process(10, "server", 9, {});
  proc.files["/proc/10/net/udp"] = kHead;
  SocketOwners owners(proc, clock);
  const SocketAddresses wanted{17, ip("127.0.0.1"), 4242, ip("127.0.0.1"), 53};
  CHECK(owners.find(9, wanted) == 0);
  proc.files["/proc/10/net/udp"] = std::string(kHead) + kUdp;
  CHECK(owners.find(9, wanted) == 0);  // too soon
  clock.ns += 100'000'000;
  CHECK(owners.find(9, wanted) == 79);
}

TEST_CASE("hostile lines of a socket table") {
  for (const char* line :
       {"", " ", "sl local", "0: 0100007F:1092", "0: 0100007F 0100007F:0 01 0 0 0 0 0 5",
        "0: 0100007G:1092 0100007F:0035 01 0 0 0 0 0 5", "0: 0100007F:11092 0100007F:0035 01 0 0 0 0 0 5",
        "0: 0100007F:1092 0100007F:0035 01 0 0 0 0 0 x"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_socket_table_line(line, 6).has_value());
  }
}
