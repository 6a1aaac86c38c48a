// tcpconnect: every TCP connection attempt of the host, who made it, how it ended and how long it took.
#include "tools/tcpconnect.h"

#include <fmt/format.h>

#include <array>

#include "bpf/filter.h"
#include "bpf/filter_config.h"
#include "bpf/ring_buffer.h"
#include "bpf/skeleton.h"
#include "cli/address_filter.h"
#include "cli/tool.h"
#include "tcpconnect.skel.h"

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

class Tcpconnect final : public Tool {
 public:
  OptionTable options() override { return OptionTable::of(kOptions, options_); }
  const Schema& schema(const CommonOptions& common) const override {
    return common.summary ? kConnectSummarySchema : kConnectSchema;
  }
  std::vector<Hook> hooks() const override { return {}; }

  Result<void> attach(Session& session) override {
    session_ = &session;
    auto skeleton = Skeleton<tcpconnect_bpf>::open();
    if (!skeleton) return std::move(skeleton).error();
    skeleton_.emplace(*std::move(skeleton));
    if (auto r = prepare_filter(**skeleton_, session.filter); !r) return r;
    if (auto r = skeleton_->load(); !r) return r;
    if (auto r = fill_filter(**skeleton_, session.filter); !r) return r;
    auto ring = RingBuffer::open(bpf_map__fd((*skeleton_)->maps.events), on_record, this);
    if (!ring) return std::move(ring).error();
    ring_.emplace(*std::move(ring));
    return skeleton_->attach();
  }

  Result<void> drain(Pipeline& out) override {
    out_ = &out;
    auto records = ring_->drain();
    if (!records) return std::move(records).error();
    return {};
  }
  int poll_fd() const override { return ring_->poll_fd(); }
  void detach() override { skeleton_->detach(); }

  std::uint64_t lost() const override {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : (**skeleton_).bss->lost_events) sum += n;
    return sum;
  }
  std::uint64_t seen() const override { return (**skeleton_).bss->seen_events; }
  const bpf_object* object() const override { return (**skeleton_).obj; }

 private:
  static bool on_record(void* context, std::span<const std::byte> record) {
    auto& self = *static_cast<Tcpconnect*>(context);
    auto event = decode_connect(record, self.session_->clock);
    if (!event) return true;
    enrich(*event, self.session_->processes);
    return self.out_->push(Row(kConnectSchema, *event));
  }

  TcpconnectOptions options_;
  Session* session_ = nullptr;
  Pipeline* out_ = nullptr;
  mutable std::optional<Skeleton<tcpconnect_bpf>> skeleton_;
  std::optional<RingBuffer> ring_;
};

constexpr Example kExamples[] = {
    {"plumb tcpconnect", "every connection attempt of the host, as it is decided"},
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
