#include "tcpconnect/probe.h"

#include <utility>

#include "probe/iterator.h"
#include "probe/map_entries.h"

namespace plumb {
namespace {

// Connections that are followed at one time; one more is counted as lost.
constexpr std::uint32_t kConnections = 65536;
constexpr std::uint32_t kHandshakes = 16384;

constexpr std::uint32_t kRingBytes = 1 << 20;

Feature both(const Feature& a, const Feature& b) {
  return a.works ? b : a;
}

// Places in hooks(), and of the variant that is a program at the end of each system call.
enum : std::size_t { kState, kConnectError, kAccept, kFirstTraffic, kOlder };
constexpr std::size_t kBySyscall = 1;

}  // namespace

// Best variant first.
std::vector<Hook> ConnectProbe::hooks(const Wants& wants) {
  return {
      {.name = "state",
       .purpose = "connection attempts",
       .variants = {{"tp_btf",
                     {"state_changed", "state_changed_nested"},
                     [](Features& f) { return f.tracepoint("inet_sock_set_state"); },
                     "under 2 us a connection"}}},
      {.name = "connect-error",
       .purpose = "connects that fail before a SYN is sent",
       .variants = {{"fexit",
                     {"connect_v4_exit", "connect_v6_exit"},
                     [](Features& f) { return both(f.fentry("tcp_v4_connect"), f.fentry("tcp_v6_connect")); },
                     "nothing beside connect()"},
                    {"sys_exit",
                     {"syscall_ended"},
                     [](Features& f) { return f.tracepoint("sys_exit"); },
                     "each system call of every process takes longer"}},
       .wanted = wants.client},
      {.name = "accept",
       .purpose = "who accepts a connection",
       .variants = {{"fentry",
                     {"socket_grafted"},
                     [](Features& f) { return f.fentry("security_sock_graft"); },
                     "nothing beside accept()"},
                    {"sys_exit",
                     {"syscall_ended"},
                     [](Features& f) { return f.tracepoint("sys_exit"); },
                     "each system call of every process takes longer"}},
       .wanted = wants.server},
      {.name = "first-traffic",
       .purpose = "who owns a connection that was accepted by io_uring or a 32-bit program",
       .variants = {{"sock_length",
                     {"traffic_sent", "traffic_received"},
                     [](Features& f) {
                       return both(f.tracepoint("sock_send_length"), f.tracepoint("sock_recv_length"));
                     },
                     "each send and receive takes longer"}},
       .required = false,
       .wanted = wants.server},
      {.name = "older",
       .purpose = "who owns connections older than the trace",
       .variants = {{"iterator",
                     {"older_sockets"},
                     [](Features& f) { return f.iterator("task_file"); },
                     "once at start"}},
       .required = false,
       .wanted = wants.life},
  };
}

Result<void> ConnectProbe::start(Session& session, const Wants& wants, OnEvent on_event) {
  session_ = &session;
  on_event_ = std::move(on_event);
  // state_changed_nested takes what state_changed misses; both start their runs by looking for the other.
  probe_.count_missed_by([](tcpconnect_bpf& skel) {
    const std::uint64_t missed = missed_runs(skel.progs.state_changed);
    const std::uint64_t taken = skel.bss->nested_events;
    return missed > taken ? missed - taken : 0;
  });
  if (auto r = probe_.open(session.features, session.filter, hooks(wants)); !r) return r;
  if (auto r = configure(wants); !r) return r;
  if (auto r = probe_.start<&ConnectProbe::record>(kRingBytes, *this); !r) return r;
  bpf_link* older = probe_->links.older_sockets;
  return older == nullptr ? Result<void>{} : run_iterator(older);
}

Result<void> ConnectProbe::configure(const Wants& wants) {
  // Without closes and servers an entry lasts as long as a handshake; fewer buckets make the start 1 ms shorter.
  const bool brief = !wants.server && !wants.life;
  const bool untold = wants.server && wants.life;
  if (const int e = bpf_map__set_max_entries(probe_->maps.conns, brief ? kHandshakes : kConnections);
      e != 0) {
    return bpf_error("cannot size the table of connections", -e);
  }
  if (const int e = bpf_map__set_max_entries(probe_->maps.untold, untold ? kConnections : 1); e != 0) {
    return bpf_error("cannot size the table of connections", -e);
  }
  tcpconnect_config& config = probe_->rodata->config;
  config.min_latency_ns = wants.min_latency_ns;
  config.client = wants.client;
  config.server = wants.server;
  config.life = wants.life;
  config.lines = wants.lines;
  config.summary = wants.summary;
  config.failed_only = wants.failed_only;
  config.ipv4 = wants.ipv4;
  config.ipv6 = wants.ipv6;
  // What the program at the end of each system call is there for, if it is.
  config.connect_by_syscall = probe_.choices()[kConnectError].uses(kBySyscall);
  config.accept_by_syscall = probe_.choices()[kAccept].uses(kBySyscall);
  set_addresses(probe_->rodata->addresses, wants.ports, wants.hosts);
  return {};
}

bool ConnectProbe::record(std::span<const std::byte> bytes) {
  auto event = decode_connect(bytes, session_->clock);
  if (!event) return true;
  enrich(*event, session_->processes);
  return on_event_(*event);
}

void ConnectProbe::each_total(const OnTotal& on_total) {
  for_each_entry<tcpconnect_summary_key, tcpconnect_summary>(bpf_map__fd(probe_->maps.summaries), on_total);
}

}  // namespace plumb
