#include "drops/options.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "drops/event.h"
#include "drops/hints.h"
#include "packet/headers.h"

namespace plumb {
namespace {

constexpr std::string_view kGroup = "drops";

// What a shell offers.
constexpr std::string_view kDropTypeNames[] = {"drop", "retransmit", "reset", "counter"};
constexpr std::string_view kProtocols[] = {"tcp", "udp", "icmp", "icmpv6", "arp", "gre", "sctp"};
constexpr std::string_view kFrequentReasons[] = {
    "NO_SOCKET",      "NETFILTER_DROP", "TCP_CSUM",     "UDP_CSUM",    "SOCKET_RCVBUFF",      "TCP_FLAGS",
    "NOT_SPECIFIED",  "IP_INNOROUTES",  "IP_RPFILTER",  "QDISC_DROP",  "TCP_LISTEN_OVERFLOW", "CPU_BACKLOG",
    "TCP_ZEROWINDOW", "TCP_OVERWINDOW", "NEIGH_FAILED", "PKT_TOO_BIG", "SKB_UCOPY_FAULT",     "XDP"};

Result<void> set_types(DropsOptions& o, std::string_view text) {
  o.types = 0;
  o.types_given = true;
  for (const std::string_view item : split_list(text)) {
    const auto found = std::ranges::find(kDropTypes, item);
    if (found == kDropTypes.end()) {
      return Error{"no type '" + std::string(item) + "'", "there is drop, retransmit, reset, counter"};
    }
    o.types = static_cast<std::uint8_t>(o.types | 1U << (found - kDropTypes.begin()));
  }
  return {};
}

Result<void> add_reasons(DropsOptions& o, std::string_view text) {
  for (std::string_view item : split_list(text)) {
    const bool negated = item.starts_with('!');
    if (negated) item.remove_prefix(1);
    o.reasons.push_back({std::string(item), negated});
  }
  return {};
}

Result<void> add_protocols(DropsOptions& o, std::string_view text) {
  for (const std::string_view item : split_list(text)) {
    const auto number =
        item == "arp" ? std::optional<std::uint8_t>(DROPS_PROTOCOL_ARP) : ip_protocol_number(item);
    if (!number) {
      return Error{"no protocol '" + std::string(item) + "'",
                   "expected tcp, udp, icmp, icmpv6, arp, ..., or a number"};
    }
    o.protocols.push_back(*number);
  }
  return {};
}

constexpr auto kOptions = std::to_array<Option<DropsOptions>>({
    {{.name = "all",
      .group = kGroup,
      .help = "Benign drops too: packets that had done their work, that nobody was meant to get, or that are "
              "no network "
              "packets. Otherwise they are counted in the last line on standard error."},
     [](DropsOptions& o, std::string_view) -> Result<void> { return o.all = true, Result<void>{}; }},
    {{.name = "type",
      .metavar = "TYPE[,...]",
      .offers = kDropTypeNames,
      .completes = Completes::offers,
      .group = kGroup,
      .help = "Only these kinds of lines: drop, retransmit, reset, counter."},
     set_types},
    {{.name = "reason",
      .metavar = "[!]REASON[,...]",
      .repeatable = true,
      .offers = kFrequentReasons,
      .completes = Completes::offers,
      .group = kGroup,
      .help = "Only drops and resets for these reasons, by the kernel's names (NO_SOCKET, NETFILTER_DROP, "
              "...); with ! "
              "all but these. Names a benign one: it is shown."},
     add_reasons},
    {{.name = "host",
      .metavar = "[!]ADDRESS[/BITS][,...]",
      .repeatable = true,
      .group = kGroup,
      .help = "Only packets from or to these addresses or prefixes; with ! all but these."},
     [](DropsOptions& o, std::string_view v) -> Result<void> { return add_hosts(o.hosts, v); }},
    {{.name = "port",
      .metavar = "[!]PORT[-PORT][,...]",
      .repeatable = true,
      .group = kGroup,
      .help = "Only packets from or to these ports; with ! all but these."},
     [](DropsOptions& o, std::string_view v) -> Result<void> { return add_ports(o.ports, v); }},
    {{.name = "proto",
      .metavar = "PROTOCOL[,...]",
      .repeatable = true,
      .offers = kProtocols,
      .completes = Completes::offers,
      .group = kGroup,
      .help = "Only these protocols: tcp, udp, icmp, icmpv6, arp, gre, ..., or a number."},
     add_protocols},
    {{.name = "dev",
      .metavar = "DEVICE[,...]",
      .repeatable = true,
      .completes = Completes::device,
      .group = kGroup,
      .help = "Only packets on these devices."},
     [](DropsOptions& o, std::string_view v) -> Result<void> {
       for (const std::string_view item : split_list(v)) o.devs.emplace_back(item);
       return {};
     }},
    {{.name = "stack",
      .group = kGroup,
      .help = "The kernel's stack with each drop. With --format folded or svg stacks are aggregated in the "
              "kernel."},
     [](DropsOptions& o, std::string_view) -> Result<void> { return o.stack = true, Result<void>{}; }},
    {{.name = "icicle", .group = kGroup, .help = "Flame graph with the root at the top."},
     [](DropsOptions& o, std::string_view) -> Result<void> { return o.icicle = true, Result<void>{}; }},
    {{.name = "max-rate",
      .metavar = "N",
      .group = kGroup,
      .help = "At most about N lines a second (default 2000; 0: no limit). What is beyond is counted in the "
              "kernel, and lines with its exact count come once a second. No limit where an expression or a "
              "process filter has to look at each event."},
     [](DropsOptions& o, std::string_view v) -> Result<void> {
       if (v == "0") return o.max_rate = 0, Result<void>{};
       auto n = parse_count(v);
       if (!n) return Error{"not a rate: " + std::string(v), "expected a whole number; 0: no limit"};
       o.max_rate = *n;
       return {};
     }},
});

Error too_many(const char* option, std::size_t most) {
  return Error{fmt::format("too many values for --{}", option), fmt::format("at most {}", most)};
}

void configure_devices_and_protocols(const DropsOptions& o, drops_config& c) {
  c.devs = static_cast<std::uint32_t>(o.devs.size());
  for (std::size_t i = 0; i < o.devs.size(); ++i) o.devs[i].copy(c.dev[i], DROPS_DEV_NAME - 1);
  c.protocols = static_cast<std::uint32_t>(o.protocols.size());
  std::ranges::copy(o.protocols, c.protocol);
}

Error unknown_reason(const std::string& name, const DropReasons& reasons, const DropReasons& resets) {
  std::vector<std::string_view> known = reasons.names();
  for (const std::string_view n : resets.names()) {
    if (std::ranges::find(known, n) == known.end()) known.push_back(n);  // some are reasons of both
  }
  if (known.empty()) {
    return Error{"--reason " + name, "this kernel gives no reasons; they came with Linux 5.17",
                 "leave it out; `location` tells where a packet was dropped"};
  }
  std::string upper = name;
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  const auto near = suggestions(upper, known, 3);
  std::string text;
  for (const std::string_view n : near) text += (text.empty() ? "" : ", ") + std::string(n);
  return Error{"--reason " + name, "this kernel has no such reason", text.empty() ? "" : "near: " + text};
}

}  // namespace

OptionTable drops_option_table(DropsOptions& options) {
  return OptionTable::of(kOptions, options);
}

std::vector<std::string> drop_columns(const DropsOptions& o) {
  if (o.types == 1U << DROPS_COUNTER) return {"time", "netns", "counter", "delta", "dev", "hint"};
  std::vector<std::string> names{"time",         "type", "pid",       "comm",    "reason",
                                 "protocol",     "src",  "src_port",  "dst",     "dst_port",
                                 "length_bytes", "dev",  "direction", "location"};
  if (o.types == 1U << DROPS_RETRANSMIT)
    names = {"time",     "pid",   "comm", "src",     "src_port",    "dst",
             "dst_port", "state", "kind", "srtt_ms", "retransmits", "cause"};
  if (o.wants(DROPS_COUNTER)) names.insert(names.end(), {"counter", "delta"});
  if (o.stack) names.emplace_back("stack");
  return names;
}

Result<void> check_drops_options(const DropsOptions& o) {
  if (o.devs.size() > DROPS_MAX_DEVS) return too_many("dev", DROPS_MAX_DEVS);
  if (o.protocols.size() > DROPS_MAX_PROTOCOLS) return too_many("proto", DROPS_MAX_PROTOCOLS);
  for (const std::string& dev : o.devs) {
    if (dev.size() >= DROPS_DEV_NAME) return Error{"no device '" + dev + "'", "names have at most 15 bytes"};
  }
  const bool negated = std::ranges::any_of(o.reasons, &ReasonFilter::negated);
  const bool plain = std::ranges::any_of(o.reasons, [](const ReasonFilter& r) { return !r.negated; });
  if (negated && plain) return Error{"--reason", "names with ! and names without exclude each other"};
  return {};
}

Result<void> configure_drops(const DropsOptions& o, const DropReasons& reasons, const DropReasons& resets,
                             drops_config& c) {
  configure_devices_and_protocols(o, c);
  for (const std::string_view name : arriving_reasons()) {
    if (const auto n = reasons.number(name); n && *n < DROPS_CORE_REASONS) c.arrives[*n] = 1;
  }
  c.queue_reason = reasons.number("QDISC_DROP").value_or(0);
  c.no_route_reason = reasons.number("IP_INNOROUTES").value_or(0);
  c.old_timestamp_reason = reasons.number("TCP_RFC7323_PAWS").value_or(0);
  const bool only = o.only_reasons();
  c.only_reasons = only;
  std::ranges::fill(c.treatment, static_cast<std::uint8_t>(only ? TREAT_IGNORE : TREAT_SHOW));
  std::ranges::fill(c.reset_treatment, static_cast<std::uint8_t>(only ? TREAT_IGNORE : TREAT_SHOW));
  if (!o.all && !only) {
    for (const std::string_view name : benign_reasons()) {
      if (const auto n = reasons.number(name); n && *n < DROPS_CORE_REASONS) c.treatment[*n] = TREAT_BENIGN;
    }
    for (const std::string_view name : ambiguous_reasons()) {
      if (const auto n = reasons.number(name); n && *n < DROPS_CORE_REASONS) c.treatment[*n] = TREAT_LOOK;
    }
    for (const std::string_view name : overtaken_reasons()) {
      if (const auto n = reasons.number(name); n && *n < DROPS_CORE_REASONS) c.treatment[*n] = TREAT_LOOK_ACK;
    }
  }
  const std::uint8_t treatment = only ? TREAT_SHOW : TREAT_IGNORE;
  c.other_exclude = !only;
  for (const ReasonFilter& r : o.reasons) {
    const auto drop = reasons.number(r.name);
    const auto reset = resets.number(r.name);
    if (!drop && !reset) return unknown_reason(r.name, reasons, resets);
    if (reset && *reset < DROPS_RESET_REASONS) c.reset_treatment[*reset] = treatment;
    if (!drop) continue;
    if (*drop < DROPS_CORE_REASONS) {
      c.treatment[*drop] = treatment;
    } else if (c.other_reasons < DROPS_MAX_OTHER_REASONS) {
      c.other_reason[c.other_reasons++] = *drop;
    } else {
      return too_many("reason of a subsystem", DROPS_MAX_OTHER_REASONS);
    }
  }
  // Only core reasons are wanted: an entry that matches nothing keeps the others out.
  if (only && c.other_reasons == 0) c.other_reason[c.other_reasons++] = UINT32_MAX;
  return {};
}

}  // namespace plumb
