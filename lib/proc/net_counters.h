// The kernel's own counters of the network stack, by namespace: what /proc/net and the traffic control of
// each device say. Plumb reads them before and after, and tells the differences. They show losses that no
// hook does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "proc/process.h"

namespace plumb {

// Names as nstat(8) has them ("TcpExtListenOverflows", "Ip6InDiscards"), and for what is not in there
// "softnet_dropped", "rx_dropped", "qdisc_drops". `dev` is empty where a counter belongs to no device.
struct CounterKey {
  std::string name;
  std::string dev;
  friend auto operator<=>(const CounterKey&, const CounterKey&) = default;
};
using Counters = std::map<CounterKey, std::uint64_t>;

// Parsers, each for one file. Unknown or broken lines are skipped.
void parse_netstat(std::string_view text,
                   Counters& out);  // netstat and snmp: pairs of lines, names and numbers
void parse_snmp6(std::string_view text, Counters& out);    // "Ip6InReceives  7" a line
void parse_softnet(std::string_view text, Counters& out);  // hexadecimal columns, a line a CPU
void parse_net_dev(std::string_view text, Counters& out);  // a line a device

// rtnetlink's answers to dumps of links (names by interface index) and of queueing disciplines (their losses, by
// device): one piece of the answer, any bytes. False once the dump is over.
bool parse_links(std::span<const std::byte> piece, std::map<int, std::string>& names);
bool parse_qdiscs(std::span<const std::byte> piece, const std::map<int, std::string>& names, Counters& out);

// The counters of a namespace that a process is in. Empty when the process is gone.
Counters read_counters(std::uint32_t pid, const ProcFs& procfs = system_procfs());
// Those of the whole machine (softnet: each CPU has one queue for all namespaces).
Counters read_host_counters(const ProcFs& procfs = system_procfs());

// The network namespaces that have processes, by inode number, each with one of these processes.
std::vector<std::pair<std::uint32_t, std::uint32_t>> net_namespaces(const ProcFs& procfs = system_procfs());
// The network namespaces that are mounted somewhere, as ip-netns(8) does, by inode number: they may have no
// process.
std::vector<std::uint32_t> mounted_namespaces(const ProcFs& procfs = system_procfs());

// Whether a network namespace has a device of this name: `only`, or if it is 0 any. Nothing: none that can be looked into
// has, and some cannot, for no process is in them.
std::optional<bool> has_device(std::string_view name, std::uint32_t only,
                               const ProcFs& procfs = system_procfs());

// Losses in queueing disciplines, asked by rtnetlink. The sockets are opened in every namespace at the start,
// because entering a namespace takes CAP_SYS_ADMIN, which plumb gives up; later ones are not seen.
class QdiscCounters {
 public:
  static constexpr std::size_t kMost = 256;  // descriptors that are held
  // Opens a socket in each of these (namespace, process in it), kMost at most. Those that cannot be entered are left out.
  static QdiscCounters open(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& namespaces);
  // Adds "qdisc_drops" and "qdisc_requeues" by device.
  void read(std::uint32_t netns, Counters& out);
  std::size_t namespaces() const { return sockets_.size(); }

 private:
  std::map<std::uint32_t, UniqueFd> sockets_;
};

}  // namespace plumb
