// tcpconnect: every TCP connection attempt of the host, who made it, how it ended and how long it took.
#include "tcpconnect/event.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "bpf/address_filter.h"
#include "bpf/filter_config.h"
#include "probe/iterator.h"
#include "probe/map_entries.h"
#include "probe/missed_runs.h"
#include "run/address_options.h"
#include "run/bpf_tool.h"
#include "run/push_down.h"
#include "tcpconnect.skel.h"
#include "tcpconnect/sums.h"

namespace plumb {
namespace {

constexpr std::string_view kRoles[] = {"client", "server", "both"};

struct TcpconnectOptions {
  bool client = true;
  bool server = false;
  bool life = false;
  bool only_v4 = false;
  bool only_v6 = false;
  bool failed = false;
  std::int64_t min_latency_ns = 0;
  std::vector<PortRange> ports;
  std::vector<HostPrefix> hosts;
};

Result<void> set_role(TcpconnectOptions& o, std::string_view role) {
  o.client = role != "server";
  o.server = role != "client";
  return {};
}

constexpr auto kOptions = std::to_array<Option<TcpconnectOptions>>({
    {{.name = "role",
      .metavar = "ROLE",
      .values = kRoles,
      .completes = Completes::values,
      .group = "tcpconnect",
      .help = "client (default): connections made from here; server: connections accepted here; both."},
     set_role},
    {{.name = "accept", .group = "tcpconnect", .help = "The same as --role both."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return set_role(o, "both"); }},
    {{.name = "life",
      .group = "tcpconnect",
      .help = "A line at each close too: duration, bytes both ways, retransmits, round-trip time, who closed "
              "it and how."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.life = true, Result<void>{}; }},
    {{.name = "ipv4",
      .short_name = '4',
      .group = "tcpconnect",
      .help = "Only IPv4 (v4-mapped IPv6 included)."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.only_v4 = true, Result<void>{}; }},
    {{.name = "ipv6", .short_name = '6', .group = "tcpconnect", .help = "Only IPv6."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.only_v6 = true, Result<void>{}; }},
    {{.name = "port",
      .metavar = "[!]PORT[-PORT][,...]",
      .repeatable = true,
      .group = "tcpconnect",
      .help = "Only these destination ports (server: local ports); with ! all but these."},
     [](TcpconnectOptions& o, std::string_view v) -> Result<void> { return add_ports(o.ports, v); }},
    {{.name = "host",
      .metavar = "[!]ADDRESS[/BITS][,...]",
      .repeatable = true,
      .group = "tcpconnect",
      .help = "Only these remote addresses or prefixes; with ! all but these."},
     [](TcpconnectOptions& o, std::string_view v) -> Result<void> { return add_hosts(o.hosts, v); }},
    {{.name = "failed", .group = "tcpconnect", .help = "Only attempts that were not established."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.failed = true, Result<void>{}; }},
    {{.name = "min-latency",
      .metavar = "TIME",
      .group = "tcpconnect",
      .help = "Only attempts that took at least this long to be decided."},
     [](TcpconnectOptions& o, std::string_view v) -> Result<void> {
       auto ns = parse_duration_ns(v);
       if (!ns) return std::move(ns).error();
       o.min_latency_ns = *ns;
       return {};
     }},
});

Feature both(const Feature& a, const Feature& b) {
  return a.works ? b : a;
}

// Best variant first. hooks_of_this_run() marks those that the options have a use for.
const std::vector<Hook>& all_hooks() {
  static const std::vector<Hook> hooks{
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
                     "each system call of every process takes longer"}}},
      {.name = "accept",
       .purpose = "who accepts a connection",
       .variants = {{"fentry",
                     {"socket_grafted"},
                     [](Features& f) { return f.fentry("security_sock_graft"); },
                     "nothing beside accept()"},
                    {"sys_exit",
                     {"syscall_ended"},
                     [](Features& f) { return f.tracepoint("sys_exit"); },
                     "each system call of every process takes longer"}}},
      {.name = "first-traffic",
       .purpose = "who owns a connection that was accepted by io_uring or a 32-bit program",
       .variants = {{"sock_length",
                     {"traffic_sent", "traffic_received"},
                     [](Features& f) {
                       return both(f.tracepoint("sock_send_length"), f.tracepoint("sock_recv_length"));
                     },
                     "each send and receive takes longer"}},
       .required = false},
      {.name = "older",
       .purpose = "who owns connections older than the trace",
       .variants = {{"iterator",
                     {"older_sockets"},
                     [](Features& f) { return f.iterator("task_file"); },
                     "once at start"}},
       .required = false},
  };
  return hooks;
}

// Connections that are followed at one time; one more is counted as lost.
constexpr std::uint32_t kConnections = 65536;
constexpr std::uint32_t kHandshakes = 16384;

class Tcpconnect final : public BpfTool<tcpconnect_bpf> {
 public:
  OptionTable options() override { return OptionTable::of(kOptions, options_); }

  Result<void> check(const CommonOptions&) override {
    if (options_.only_v4 && options_.only_v6) return Error{"--ipv4 and --ipv6 exclude each other"};
    return {};
  }

  const Schema& schema(const CommonOptions& common) const override {
    return common.summary ? kConnectSummarySchema : kConnectSchema;
  }

  std::vector<std::string> columns(const CommonOptions& common) const override {
    if (common.summary) return {};
    std::vector<std::string> names{"time", "pid", "comm"};
    if (options_.server || options_.life) names.insert(names.begin() + 1, "type");
    if (options_.server && options_.client) names.emplace_back("role");
    names.insert(names.end(), {"local_port", "remote_addr", "remote_port", "outcome", "latency_ms"});
    if (options_.server) names.insert(std::find(names.begin(), names.end(), "local_port"), "local_addr");
    if (options_.life) names.insert(names.end(), {"duration_ms", "tx_bytes", "rx_bytes", "closed_by"});
    return names;
  }

  std::vector<std::string> group_by(const CommonOptions&) const override {
    if (!options_.server) return {};
    // A client's port is another one for each connection.
    if (!options_.client) return {"pid", "comm", "local_port"};
    return {"pid", "comm", "role", "remote_addr"};
  }

  std::vector<Hook> hooks() const override { return all_hooks(); }

  // The summary's bytes come with the closes, which were not asked for without --life.
  TypeMask judged_types(const CommonOptions&) const override {
    return options_.life ? kAllTypes : ~(TypeMask{1} << TCPCONNECT_CLOSE);
  }

  void summarize(const Row& row) override {
    if (const auto* event = row.event<Connect>(); event != nullptr) sums_.add(*event);
  }

  Result<void> finish(Pipeline& out) override {
    if (!session().options.summary) return {};
    if (session().options.kernel_summary()) {
      for_each_entry<tcpconnect_summary_key, tcpconnect_summary>(
          bpf_map__fd(skeleton().maps.summaries),
          [this](const tcpconnect_summary_key& key, const tcpconnect_summary& value) {
            sums_.add(key, value);
          });
    }
    sums_.push(out);
    return {};
  }

  std::uint64_t lost() const override { return BpfTool::lost() + sums_.lost(); }

  // state_changed_nested takes what state_changed misses; both start their runs by looking for the other.
  std::uint64_t missed() const override {
    const std::uint64_t missed = missed_runs(skeleton().progs.state_changed);
    const std::uint64_t taken = skeleton().bss->nested_events;
    return missed > taken ? missed - taken : 0;
  }

 private:
  std::vector<Hook> hooks_of_this_run(const CommonOptions& common) const override {
    std::vector<Hook> hooks = all_hooks();
    for (Hook& hook : hooks) {
      if (hook.name == "connect-error") hook.wanted = options_.client;
      if (hook.name == "accept" || hook.name == "first-traffic") hook.wanted = options_.server;
      if (hook.name == "older") hook.wanted = options_.life || common.summary;
    }
    return hooks;
  }

  Result<void> configure(tcpconnect_bpf& skel, const CommonOptions& common,
                         const std::vector<HookChoice>& choices) override {
    auto& config = skel.rodata->config;
    // Without closes and servers an entry lasts as long as a handshake; fewer buckets make the start 1 ms
    // shorter.
    const bool brief = !options_.server && !options_.life && !common.summary;
    if (const int e = bpf_map__set_max_entries(skel.maps.conns, brief ? kHandshakes : kConnections); e != 0) {
      return bpf_error("cannot size the table of connections", -e);
    }
    config.min_latency_ns = static_cast<std::uint64_t>(options_.min_latency_ns);
    config.client = options_.client;
    config.server = options_.server;
    config.life = options_.life || common.summary;  // the summary's bytes come with the close
    config.lines = !common.kernel_summary();
    config.summary = common.kernel_summary();
    config.failed_only = options_.failed;
    config.ipv4 = !options_.only_v6;
    config.ipv6 = !options_.only_v4;
    std::vector<PortRange> ports = options_.ports;
    push_down(config, ports);
    set_addresses(skel.rodata->addresses, ports, options_.hosts);
    // What the program at the end of each system call is there for, if it is.
    for (const HookChoice& choice : choices) {
      const bool by_syscall = choice.variant != nullptr && choice.variant->name == "sys_exit";
      if (choice.hook->name == "connect-error") config.connect_by_syscall = by_syscall;
      if (choice.hook->name == "accept") config.accept_by_syscall = by_syscall;
    }
    return {};
  }

  Result<void> attached(tcpconnect_bpf& skel) override {
    return skel.links.older_sockets == nullptr ? Result<void>{} : run_iterator(skel.links.older_sockets);
  }

  // Conditions of --where that the kernel can decide too. Ports only of clients: a server's filter is its
  // local port.
  void push_down(tcpconnect_config& config, std::vector<PortRange>& ports) const {
    for (const Condition& c : session().conditions) {
      const std::string_view key = kConnectSchema.spec(c.field).key;
      const bool taken = (key == "remote_port" && !options_.server && want_ports(ports, numbers_wanted(c))) ||
                         (key == "outcome" && want_failures(config, c)) ||
                         (key == "latency_ms" && want_latency(config, c));
      if (taken && session().options.verbose) fmt::print(stderr, "--where: the kernel filters by {}\n", key);
    }
  }

  static bool want_ports(std::vector<PortRange>& ports, const std::vector<std::uint64_t>& wanted) {
    if (!ports.empty() || wanted.empty() || wanted.size() > FILTER_MAX_PORTS) return false;
    if (std::any_of(wanted.begin(), wanted.end(), [](std::uint64_t p) { return p > 0xffff; })) return false;
    for (const std::uint64_t p : wanted)
      ports.push_back({static_cast<std::uint16_t>(p), static_cast<std::uint16_t>(p)});
    return true;
  }

  // `outcome != established`, in any spelling that leaves established out. Their later closes say
  // established.
  static bool want_failures(tcpconnect_config& config, const Condition& c) {
    const bool negated = c.compare == query::Compare::not_equal || c.compare == query::Compare::not_in;
    if (!negated && c.compare != query::Compare::equal && c.compare != query::Compare::in) return false;
    const bool names_it = std::any_of(c.values.begin(), c.values.end(), [](const Condition::Literal& v) {
      const auto* text = std::get_if<std::string>(&v);
      return text == nullptr || *text == "established";
    });
    if (names_it != negated) return false;
    config.failed_only = 1;
    return true;
  }

  // `latency > T` or `latency >= T`: the kernel keeps what takes at least T.
  static bool want_latency(tcpconnect_config& config, const Condition& c) {
    if (c.compare != query::Compare::greater && c.compare != query::Compare::greater_equal) return false;
    const auto* ns = c.values.empty() ? nullptr : std::get_if<std::int64_t>(&c.values.front());
    if (ns == nullptr || *ns < 0) return false;
    config.min_latency_ns = std::max(config.min_latency_ns, static_cast<__u64>(*ns));
    return true;
  }

  bool record(std::span<const std::byte> bytes, Pipeline& out) override {
    auto event = decode_connect(bytes, session().clock);
    if (!event) return true;
    enrich(*event, session().processes);
    return out.push(Row(kConnectSchema, *event));
  }

  ConnectSums sums_;
  TcpconnectOptions options_;
};

constexpr Example kExamples[] = {
    {"plumb tcpconnect", "every connection attempt of the host, as it is decided"},
    {"plumb tcpconnect --failed --time utc", "only what did not work: refused, timed out, unreachable, ..."},
    {"plumb tcpconnect --role both --life -p 4711",
     "what process 4711 opens, accepts and closes, with bytes and duration"},
    {"plumb tcpconnect --port 5432 --min-latency 5ms", "slow handshakes with the databases"},
    {"plumb tcpconnect --json -d 60s | jq 'select(.outcome != \"established\") | .comm'",
     "who failed, for a script"},
    {"plumb tcpconnect --summary -d 10s",
     "who talks to whom, with latency quantiles, aggregated in the kernel"},
    {"plumb tcpconnect -- curl -s https://example.org", "the connections of one command and its children"},
};

}  // namespace

extern const ToolInfo kTcpconnect;
const ToolInfo kTcpconnect{
    .name = "tcpconnect",
    .summary = "who connects where over TCP, how it ends and how long it takes",
    .description =
        "Shows every TCP connection attempt of the host, in all network namespaces, when it is decided.",
    .schema = &kConnectSchema,
    .summary_schema = &kConnectSummarySchema,
    .examples = kExamples,
    .make = []() -> std::unique_ptr<Tool> { return std::make_unique<Tcpconnect>(); },
};

}  // namespace plumb
