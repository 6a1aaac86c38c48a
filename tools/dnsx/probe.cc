#include "dnsx/probe.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "dns/resolvers.h"

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
  const dnsx_owner identity{p.task, p.kind == DNSX_SENT || p.kind == DNSX_WAITS ? p.mount_ns : 0, p.selected};
  static_assert(sizeof identity <= dns::Owner::kIdentityBytes);
  dns::Owner owner;
  owner.pid = p.task.pid;
  owner.tid = p.task.tid;
  std::memcpy(owner.identity.data(), &identity, sizeof identity);
  return owner;
}

dnsx_owner identity_of(const dns::Owner& owner) {
  dnsx_owner identity{};
  std::memcpy(&identity, owner.identity.data(), sizeof identity);
  return identity;
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
      {.name = "encrypted",
       .purpose = "connections for DNS over TLS or HTTPS",
       .variants = {{"tp_btf",
                     {"connect_started"},
                     [](Features& f) { return f.tracepoint("inet_sock_set_state"); },
                     "a glance at each new TCP connection"}},
       .required = false,
       .wanted = wants.encrypted},
      {.name = "waiting",
       .purpose = "queries that wait for a neighbour's address",
       .variants = {{"tp_btf",
                     {"packet_waits"},
                     [](Features& f) { return f.tracepoint("neigh_event_send_done"); },
                     "nothing but for packets to a neighbour whose address is not known"}},
       .required = false,
       .wanted = wants.waiting},
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
  on_lookup_ = std::move(on_lookup);
  return start(session, wants);
}

Result<void> DnsProbe::start(Session& session, const Wants& wants, AnyProbe& call_probe, dns::Calls& calls,
                             OnLookup on_lookup) {
  call_probe_ = &call_probe;
  calls_ = &calls;
  return start(session, wants, std::move(on_lookup));
}

Result<void> DnsProbe::start(Session& session, const Wants& wants) {
  session_ = &session;
  if (!wants.executables) probe_.leave_executables_to_others();
  if (auto r = probe_.open(session.features, session.filter, hooks(wants)); !r) return r;
  configure(wants);
  dns::Matcher::Options options;
  options.timeout_ns = wants.timeout_ns;
  options.client = wants.client;
  options.server = wants.server;
  options.callers = calls_;
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
  config.everybody = calls_ != nullptr;  // a resolver may ask for the processes that are wanted
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
  if (p.kind == DNSX_CONNECT) return connection(p);
  if (calls_ != nullptr) learn_calls({p.time_ns});
  const auto transport = p.protocol == kTcp ? dns::Transport::tcp : dns::Transport::udp;
  dns::Owner owner;
  if (p.has_task != 0) owner = owner_of(p);
  if (p.kind == DNSX_READ) {
    matcher_->see(dns::Pickup{{p.time_ns}, p.socket, &owner, transport});
    return give();
  }
  const std::span<const std::byte> payload = bytes.subspan(sizeof p, p.captured);
  if (p.kind == DNSX_UNREACHABLE) {
    matcher_->see(dns::Unreachable{{p.time_ns},
                                   p.netns,
                                   {IpAddress::of(p.family, p.src), p.src_port},
                                   {IpAddress::of(p.family, p.dst), p.dst_port},
                                   dns::id_of(payload)});
    return give();
  }
  dns::Sighting s;
  s.time = {p.time_ns};
  s.direction = p.kind == DNSX_RECEIVED ? dns::Direction::received : dns::Direction::sent;
  s.waits = p.kind == DNSX_WAITS;
  s.transport = transport;
  s.netns = p.netns;
  s.ifindex = p.ifindex;
  s.socket = p.socket;
  s.source = {IpAddress::of(p.family, p.src), p.src_port};
  s.destination = {IpAddress::of(p.family, p.dst), p.dst_port};
  s.owner = p.has_task != 0 ? &owner : nullptr;
  s.sequence = p.sequence;
  s.syn = (p.tcp_flags & kSyn) != 0;
  s.payload = payload;
  s.length = p.length;
  matcher_->see(s);
  return give();
}

// Every call that began before `until` is known.
void DnsProbe::learn_calls(BootTime until) {
  if (until < calls_until_) return;
  calls_until_ = session_->clock.now();
  (void)call_probe_->drain();  // what fails here fails in the run's next turn
}

bool DnsProbe::connection(const dnsx_packet& p) {
  dns::Lookup& l = connection_;
  l.server = {IpAddress::of(p.family, p.dst), p.dst_port};
  if (p.dst_port == dns::kHttpsPort && !dns::is_known_resolver(l.server.address)) return true;
  l.outcome = dns::Outcome::encrypted;
  l.attempts = 1;
  l.transport = p.dst_port == dns::kHttpsPort ? dns::Transport::doh : dns::Transport::dot;
  l.netns = p.netns;
  l.owner = owner_of(p);
  l.asked = {p.time_ns};
  l.client = {IpAddress::of(p.family, p.src), p.src_port};
  return on_lookup_(l);
}

// With a filter of processes, a lookup whose process is not known is not wanted: it may be anybody's. What led from a call
// of a wanted process is.
bool DnsProbe::wanted(const dns::Lookup& lookup) const {
  const TaskFilter& f = session_->filter;
  if (lookup.caller.pid != 0) return true;
  if (f.netns != 0 && f.netns != lookup.netns) return false;
  if (lookup.owner.pid != 0) return identity_of(lookup.owner).selected != 0;
  return f.pids.empty() && f.comms.empty() && !f.uid && f.cgroups.empty();
}

bool DnsProbe::give() {
  while (const dns::Lookup* lookup = matcher_->next()) {
    if (wanted(*lookup) && !on_lookup_(*lookup)) return false;
  }
  return true;
}

Result<void> DnsProbe::drain() {
  const BootTime now = session_->clock.now();  // before: all that is older is in the buffer
  seen_until_ = std::exchange(drained_, now);  // but for what another CPU was just about to put there
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
