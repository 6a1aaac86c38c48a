#include "dnsx/probe.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace plumb {
namespace {

constexpr std::uint8_t kTcp = 6;  // IPPROTO_TCP
constexpr std::uint8_t kSyn = 2;

// Places in hooks() and among the variants of the packets.
constexpr std::size_t kByPages = 1;

// Where a variable of the kernel is, by /proc/kallsyms; 0: it has none, or hides it. Reads until it is found: some 10 ms.
std::uint64_t kernel_variable(std::string_view name) {
  std::ifstream symbols("/proc/kallsyms");
  std::string line;
  while (std::getline(symbols, line)) {
    if (!line.ends_with(name) || line.size() <= name.size() || line[line.size() - name.size() - 1] != ' ')
      continue;
    std::uint64_t address = 0;
    std::from_chars(line.data(), line.data() + line.size(), address, 16);
    return address;
  }
  return 0;
}

Feature all(std::initializer_list<Feature> features) {
  const auto missing = std::ranges::find(features, false, &Feature::works);
  return missing == features.end() ? *features.begin() : *missing;
}

Feature packets(Features& f) {
  return all({f.tracepoint("net_dev_queue"), f.tracepoint("netif_receive_skb")});
}

dns::Owner owner_of(const dnsx_packet& p) {
  const dnsx_owner identity{p.task, p.kind == DNSX_SENT ? p.mount_ns : 0, 0};
  static_assert(sizeof identity <= dns::Owner::kIdentityBytes);
  dns::Owner owner;
  owner.pid = p.task.pid;
  owner.tid = p.task.tid;
  std::memcpy(owner.identity.data(), &identity, sizeof identity);
  return owner;
}

}  // namespace

std::vector<Hook> DnsProbe::hooks(const Wants& wants) {
  return {
      {.name = "packets",
       .purpose = "the packets that carry DNS",
       .variants =
           {{"dynptr",
             {"packet_sent", "packet_received"},
             [](Features& f) {
               return all({packets(f), f.packet_views()});
             },
             "each packet takes longer"},
            {"pages", {"packet_sent_pages", "packet_received_pages"}, packets, "each packet takes longer"}}},
      {.name = "read",
       .purpose = "when an application reads its answer",
       .variants =
           {{"sock_length",
             {"socket_read"},
             [](Features& f) { return f.tracepoint("sock_recv_length"); },
             "each receive takes longer"},
            {"fexit",
             {"udp_v4_read", "udp_v6_read", "tcp_read"},
             [](Features& f) {
               return all({f.fentry("udp_recvmsg"), f.fentry("udpv6_recvmsg"), f.fentry("tcp_recvmsg")});
             },
             "each receive takes longer"}},
       .required = false,
       .wanted = wants.pickup},
  };
}

Result<void> DnsProbe::start(Session& session, const Wants& wants, OnLookup on_lookup) {
  session_ = &session;
  on_lookup_ = std::move(on_lookup);
  if (!wants.executables) probe_.leave_executables_to_others();
  if (auto r = probe_.open(session.features, session.filter, hooks(wants)); !r) return r;
  configure(wants);
  dns::Matcher::Options options;
  options.timeout_ns = wants.timeout_ns;
  options.client = wants.client;
  options.server = wants.server;
  options.max_lookups = wants.max_lookups;
  options.pickup = probe_.choices().back().variant != nullptr;
  if (wants.search_lists && wants.client) {
    search_.emplace(session.clock);
    options.search = &*search_;
  }
  matcher_.emplace(options);
  return probe_.start<&DnsProbe::record>(wants.ring_bytes, *this);
}

void DnsProbe::configure(const Wants& wants) {
  dnsx_config& config = probe_->rodata->config;
  config.client = wants.client;
  config.server = wants.server;
  config.port_count = static_cast<std::uint8_t>(std::min<std::size_t>(wants.ports.size(), DNSX_MAX_PORTS));
  std::copy_n(wants.ports.begin(), config.port_count, config.ports);
  if (!probe_.choices().front().uses(kByPages)) return;
  config.page_offset_at = kernel_variable("page_offset_base");
  config.page_array_at = kernel_variable("vmemmap_base");
}

bool DnsProbe::record(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(dnsx_packet)) return true;
  const auto& p = *reinterpret_cast<const dnsx_packet*>(bytes.data());
  if (p.kind >= DNSX_KINDS || p.captured > bytes.size() - sizeof p) return true;
  const auto transport = p.protocol == kTcp ? dns::Transport::tcp : dns::Transport::udp;
  dns::Owner owner;
  if (p.has_task != 0) owner = owner_of(p);
  if (p.kind == DNSX_READ) {
    matcher_->see(dns::Pickup{{p.time_ns}, p.socket, &owner, transport});
    return give();
  }
  dns::Sighting s;
  s.time = {p.time_ns};
  s.direction = p.kind == DNSX_SENT ? dns::Direction::sent : dns::Direction::received;
  s.transport = transport;
  s.netns = p.netns;
  s.ifindex = p.ifindex;
  s.socket = p.socket;
  s.source = {IpAddress::of(p.family, p.src), p.src_port};
  s.destination = {IpAddress::of(p.family, p.dst), p.dst_port};
  s.owner = p.has_task != 0 ? &owner : nullptr;
  s.sequence = p.sequence;
  s.syn = (p.tcp_flags & kSyn) != 0;
  s.payload = bytes.subspan(sizeof p, p.captured);
  s.length = p.length;
  matcher_->see(s);
  return give();
}

// With a filter of processes, a lookup whose process is not known is not wanted: it may be anybody's.
bool DnsProbe::wanted(const dns::Lookup& lookup) const {
  const TaskFilter& f = session_->filter;
  return lookup.owner.pid != 0 || (f.pids.empty() && f.comms.empty() && !f.uid && f.cgroups.empty());
}

bool DnsProbe::give() {
  while (const dns::Lookup* lookup = matcher_->next()) {
    if (wanted(*lookup) && !on_lookup_(*lookup)) return false;
  }
  return true;
}

Result<void> DnsProbe::drain() {
  const BootTime now = session_->clock.now();  // before: all that is older is in the buffer
  if (auto r = probe_.drain(); !r) return r;
  matcher_->advance(now);
  give();
  return {};
}

void DnsProbe::finish() {
  matcher_->finish();
  give();
}

}  // namespace plumb
