#include "httptrace/probe.h"

#include <algorithm>
#include <utility>

namespace plumb {
namespace {

// Room for 50 ms of 100,000 requests a second on both sides, of which each makes two records of some 400 bytes; a quarter
// of it wakes the user side. Mapped twice, it counts twice as memory of the process.
constexpr std::uint32_t kRingBytes = 8 << 20;

Feature both(const Feature& a, const Feature& b) {
  return a.works ? b : a;
}

Feature sock_length(Features& f) {
  return both(f.tracepoint("sock_send_length"), f.tracepoint("sock_recv_length"));
}

constexpr std::size_t kNested = 0;  // of the variants of "traffic"

// Runs that were skipped and whose events no other program told.
//
// socket_*_nested take what socket_* miss; what they miss themselves was taken before. An end that socket_state misses is
// told by socket_destroyed, and the other way round: one interrupt on top of a program handles many packets, so that dozens
// are missed at once, of which most are changes of state that tell nothing.
std::uint64_t missed_calls(httptrace_bpf& skel) {
  const auto& p = skel.progs;
  const std::uint64_t first = missed_runs(p.socket_sent) + missed_runs(p.socket_received);
  const std::uint64_t second = missed_runs(p.socket_sent_nested) + missed_runs(p.socket_received_nested);
  const std::uint64_t taken = skel.bss->nested_calls;
  const std::uint64_t state = missed_runs(p.socket_state);
  const std::uint64_t destroyed = missed_runs(p.socket_destroyed);
  return missed_runs(skel.obj) - first - second - std::max(state, destroyed) +
         (first > taken ? first - taken : 0);
}

}  // namespace

std::vector<Hook> HttpProbe::hooks() {
  return {
      {.name = "traffic",
       .purpose = "what sockets send and receive",
       .variants = {{"sock_length_nested",
                     {"socket_sent", "socket_received", "socket_sent_nested", "socket_received_nested"},
                     [](Features& f) { return both(sock_length(f), f.preemptible_tracepoints()); },
                     "as sock_length, and a second program for what the first missed"},
                    {"sock_length",
                     {"socket_sent", "socket_received"},
                     sock_length,
                     "under 0.5 us a send or receive of HTTP, 0.1 us of anything else"},
                    {"fexit",
                     {"inet_sent", "inet6_sent", "inet_received", "inet6_received"},
                     [](Features& f) {
                       return both(both(f.fentry("inet_sendmsg"), f.fentry("inet6_sendmsg")),
                                   both(f.fentry("inet_recvmsg"), f.fentry("inet6_recvmsg")));
                     },
                     "each send and receive over TCP and UDP takes longer"}}},
      {.name = "sendfile",
       .purpose = "files sent without a copy, before Linux 6.5",
       .variants = {{"fexit",
                     {"inet_page_sent"},
                     [](Features& f) { return f.fentry("inet_sendpage"); },
                     "nothing beside sendfile()"}},
       .required = false},
      {.name = "ends",
       .purpose = "connections that end",
       .variants = {{"tp_btf",
                     {"socket_state", "socket_destroyed"},
                     [](Features& f) {
                       return both(f.tracepoint("inet_sock_set_state"), f.tracepoint("tcp_destroy_sock"));
                     },
                     "under 1 us a connection"}}},
  };
}

Result<void> HttpProbe::start(Session& session, const Wants& wants, const TlsProbe::Search& search,
                              OnRecord on_record) {
  on_record_ = std::move(on_record);
  probe_.count_missed_by(missed_calls);
  if (auto r = probe_.open(session.features, session.filter, hooks()); !r) return r;
  httptrace_config& config = probe_->rodata->config;
  config.client = wants.client;
  config.server = wants.server;
  config.snaplen = wants.snaplen;
  config.socket_storage = session.features.socket_storage().works;
  config.nested = probe_.choices().front().uses(kNested);
  if (!config.nested) bpf_map__set_autocreate(probe_->maps.seen_calls, false);
  if (!config.socket_storage) bpf_map__set_autocreate(probe_->maps.connections, false);
  for (const auto& [map, fd] : {std::pair{probe_->maps.searching, search.searching},
                                std::pair{probe_->maps.searchers, search.searchers}}) {
    if (const int e = bpf_map__reuse_fd(map, fd); e != 0)
      return bpf_error("cannot share maps between the BPF objects", -e);
  }
  set_addresses(probe_->rodata->addresses, wants.ports, wants.hosts);
  return probe_.start<&HttpProbe::record>(kRingBytes, *this);
}

}  // namespace plumb
