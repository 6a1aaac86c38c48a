// Which process owns a socket, found from outside the socket: by the inode number of its file, through
// /proc/PID/fd, and by its addresses, through /proc/PID/net/{tcp,udp,...} of a process in its network
// namespace. Both are lists that the kernel makes when asked, so they are read rarely and kept: a scan
// happens only for what is not known yet, and scans together take at most about 5 % of the time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "proc/process.h"

namespace plumb {

struct SocketOwner {
  std::uint32_t pid = 0;
  std::uint64_t start_ns = 0;  // CLOCK_BOOTTIME, to the kernel's tick (10 ms)
  std::uint32_t uid = 0;       // effective
  std::string comm;
};

// What a packet or a connection says of a socket, from the socket's own point of view.
struct SocketAddresses {
  std::uint8_t protocol = 0;  // IPPROTO_TCP, IPPROTO_UDP
  IpAddress local;
  std::uint16_t local_port = 0;
  IpAddress remote;
  std::uint16_t remote_port = 0;
};

class SocketOwners {
 public:
  // `procfs` and `clock` must outlive it.
  explicit SocketOwners(const ProcFs& procfs = system_procfs(),
                        const ClockSource& clock = system_clock_source());
  ~SocketOwners();

  // The process with a descriptor of the socket, the lowest pid where there are several; nullptr: not known.
  // Valid until the next call.
  const SocketOwner* by_inode(std::uint64_t inode);
  // The inode number of the namespace's socket with these addresses, or else of the one that listens or is
  // bound there; 0: none.
  std::uint64_t find(std::uint32_t netns, const SocketAddresses& addresses);
  // Some process in the namespace; 0: none known.
  std::uint32_t process_in(std::uint32_t netns);
  // All network namespaces that have processes, with one process each, as of now.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> namespaces();

  static constexpr std::size_t kMaxSockets = 262'144;  // descriptors kept of one scan
  static constexpr std::size_t kMaxTables = 64;        // namespace and protocol, at one time

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One line of /proc/net/tcp, tcp6, udp or udp6; nothing when it is not one. For tests and the fuzzer.
struct SocketTableLine {
  SocketAddresses addresses;
  std::uint8_t state = 0;
  std::uint64_t inode = 0;
};
std::optional<SocketTableLine> parse_socket_table_line(std::string_view line, std::uint8_t protocol);

}  // namespace plumb
