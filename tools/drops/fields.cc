// The one definition of what a line of drops holds.
#include <fmt/format.h>

#include <cstring>

#include "base/text.h"
#include "drops/event.h"
#include "event/ends.h"
#include "event/value.h"

namespace plumb {
namespace {

constexpr std::string_view kTypes[] = {"drop", "retransmit", "reset", "counter"};
constexpr std::string_view kDirections[] = {"in", "out", "forward"};
constexpr std::string_view kOwnerSources[] = {"rx_sk", "skb_sk", "socket", "table"};
constexpr std::string_view kKinds[] = {"rto", "fast", "tlp", "syn", "syn_ack"};
constexpr std::string_view kStates[] = {"established", "syn_sent",  "syn_recv", "fin_wait1",
                                        "fin_wait2",   "time_wait", "close",    "close_wait",
                                        "last_ack",    "listen",    "closing",  "new_syn_recv"};
constexpr std::string_view kCertainties[] = {"segment", "connection"};
constexpr TypeMask kDrop = 1U << DROPS_DROP, kRetransmit = 1U << DROPS_RETRANSMIT, kReset = 1U << DROPS_RESET;
constexpr TypeMask kCounter = 1U << DROPS_COUNTER, kEvents = kDrop | kRetransmit | kReset;

std::size_t type_of(const DropLine& l) {
  return l.type;
}

template <class T>
Value number(const std::optional<T>& v) {
  return v ? Value{std::uint64_t{*v}} : Value{None{}};
}
Value port(bool known, std::uint16_t v) {
  return known ? Value{std::uint64_t{v}} : Value{None{}};
}
// Values of an enum that counts from 1, 0 being unknown.
template <std::size_t N>
Value one_of(const std::string_view (&names)[N], unsigned v) {
  return v == 0 || v > N ? Value{None{}} : Value{Name{names[v - 1]}};
}

// A retransmit repairs, and a counter may count less than a loss.
constexpr std::string_view kWarnings[] = {"drop", "reset"};

constexpr auto kSharedFields = shared_fields<DropLine, type_of, kTypes>(
    {.time = "When it happened; of a counter, when its growth was read.",
     .type = "drop: a packet was thrown away; retransmit: a TCP segment was sent again; reset: a TCP reset "
             "was sent or received; counter: a loss counter of the kernel grew.",
     .pid = "The process that owns the socket; null when that is not known or there is none.",
     .tid = "Always null: a socket belongs to a process, not to one of its threads.",
     .netns = "The network namespace's inode number, as lsns(8) shows it; null for counters of the whole "
              "machine.",
     .warnings = kWarnings,
     .group_by_process = false,
     .comm_width = 15});

constexpr auto kOwnFields = std::to_array<Field<DropLine>>({
    {{.key = "reason",
      .heading = "REASON",
      .type = FieldType::text,
      .width = 18,
      .types = kEvents,
      .group = true,
      .shown = true,
      .otlp = "error.type",
      .help = "drop, reset: the running kernel's own name for why; null on kernels that give none (drops "
              "before 5.17, "
              "resets before 6.10), for retransmits and for received resets."},
     [](const DropLine& l) -> Value { return text_or_none(l.reason); }},
    {{.key = "subsystem",
      .heading = "SUBSYS",
      .type = FieldType::text,
      .width = 11,
      .types = kEvents,
      .help = "The part of the kernel that the reason comes from: core, qdisc, openvswitch, "
              "mac80211_unusable, ..."},
     [](const DropLine& l) -> Value { return text_or_none(l.subsystem); }},
    {{.key = "hint",
      .heading = "HINT",
      .type = FieldType::text,
      .width = 40,
      .help = "What the reason or counter means and what to look at."},
     [](const DropLine& l) -> Value { return text_or_none(l.hint); }},
    {{.key = "location",
      .heading = "LOCATION",
      .type = FieldType::text,
      .width = 28,
      .types = kEvents,
      .group = true,
      .shown = true,
      .rank = 7,
      .help = "drop: the kernel function that threw it away, with the offset in it; a number where the "
              "kernel hides its "
              "symbols."},
     [](const DropLine& l) -> Value { return text_or_none(l.location); }},
    {{.key = "protocol",
      .heading = "PROTO",
      .type = FieldType::text,
      .width = 6,
      .types = kEvents,
      .shown = true,
      .rank = 4,
      .otlp = "network.transport",
      .help = "tcp, udp, icmp, icmpv6, arp, gre, ipip, vxlan, ...: what the outermost IP header carries."},
     [](const DropLine& l) -> Value { return text_or_none(l.protocol); }},
});

constexpr auto kSourceFields = end_fields<DropLine>(
    kSourceEnd,
    {.types = kEvents, .shown = true, .help = "The packet's source, from its headers; of ARP the sender."},
    [](const DropLine& l) -> Value { return address_or_none(l.src); },
    {.types = kEvents, .shown = true, .help = "Source port; null where the protocol has none."},
    [](const DropLine& l) -> Value { return port(l.has_ports, l.src_port); });
constexpr auto kDestinationFields = end_fields<DropLine>(
    kDestinationEnd,
    {.types = kEvents, .shown = true, .help = "The packet's destination; of ARP the target."},
    [](const DropLine& l) -> Value { return address_or_none(l.dst); },
    {.types = kEvents, .shown = true, .help = "Destination port; null where the protocol has none."},
    [](const DropLine& l) -> Value { return port(l.has_ports, l.dst_port); });

constexpr auto kPacketFields = std::to_array<Field<DropLine>>({
    {{.key = "tcp_flags",
      .heading = "FLAGS",
      .type = FieldType::text,
      .width = 7,
      .types = kEvents,
      .help = "TCP flags of the packet, such as SYN or PSH|ACK; null when it is not TCP or its header is not "
              "there."},
     [](const DropLine& l) -> Value {
       return l.tcp_flags ? text_or_none(tcp_flags_text(*l.tcp_flags)) : Value{None{}};
     }},
    {{.key = "length_bytes",
      .heading = "LEN",
      .type = FieldType::bytes,
      .width = 5,
      .types = kEvents,
      .shown = true,
      .rank = 8,
      .help =
          "The packet's bytes from the header on that the kernel was looking at; of aggregates their sum."},
     [](const DropLine& l) -> Value { return number(l.length_bytes); }},
    {{.key = "dev",
      .heading = "DEV",
      .type = FieldType::text,
      .width = 8,
      .group = true,
      .shown = true,
      .rank = 5,
      .otlp = "network.interface.name",
      .help = "The device that the packet was on or came from; null when it is not known."},
     [](const DropLine& l) -> Value { return text_or_none(l.dev); }},
    {{.key = "direction",
      .heading = "DIR",
      .type = FieldType::enumeration,
      .width = 7,
      .types = kEvents,
      .shown = true,
      .rank = 6,
      .values = kDirections,
      .help = "out: made on this host, it was never received on a device; forward: received, with a route "
              "that leaves "
              "again; in: any other received packet; null when it is no network packet."},
     [](const DropLine& l) -> Value { return one_of(kDirections, l.direction); }},
    {{.key = "state",
      .heading = "STATE",
      .type = FieldType::enumeration,
      .width = 11,
      .types = kEvents,
      .rank = 5,
      .otlp = "network.connection.state",
      .values = kStates,
      .help = "The state of the TCP socket; null when there is no socket or it is not TCP."},
     [](const DropLine& l) -> Value { return one_of(kStates, l.state); }},
    {{.key = "owner_source",
      .heading = "OWNERSRC",
      .type = FieldType::enumeration,
      .width = 8,
      .types = kEvents,
      .values = kOwnerSources,
      .help =
          "How the owner was found: rx_sk, the receiving socket; skb_sk, the packet's socket; socket, the "
          "connection's own; table, the one that was at the packet's addresses before; null when it was not "
          "found."},
     [](const DropLine& l) -> Value {
       return l.origin.pid == 0 ? Value{None{}} : one_of(kOwnerSources, l.owner_source);
     }},
    {{.key = "stack",
      .heading = "STACK",
      .type = FieldType::list,
      .width = 40,
      .types = kEvents,
      .below = true,
      .help = "The kernel's stack, root first; null without --stack."},
     [](const DropLine& l) -> Value { return l.stack.empty() ? Value{None{}} : Value{l.stack}; }},
    {{.key = "count",
      .heading = "COUNT",
      .type = FieldType::unsigned_integer,
      .width = 6,
      .types = kEvents,
      .help = "How many events this line stands for: 1, except where there were more than --max-rate allows; "
              "then one "
              "line a second and place has the exact number of the others."},
     [](const DropLine& l) -> Value { return l.count; }},
    {{.key = "inner_protocol",
      .heading = "IPROTO",
      .type = FieldType::text,
      .width = 6,
      .types = kDrop,
      .help = "In a tunnel (IP in IP, GRE, VXLAN): the protocol of the packet in it."},
     [](const DropLine& l) -> Value {
       return l.inner ? Value{ip_protocol_name(l.inner->protocol)} : Value{None{}};
     }},
});

constexpr auto kInnerSourceFields = end_fields<DropLine>(
    kInnerSourceEnd, {.types = kDrop, .help = "In a tunnel: the inner packet's source."},
    [](const DropLine& l) -> Value { return l.inner ? address_or_none(l.inner->source) : Value{None{}}; },
    {.types = kDrop, .help = "In a tunnel: the inner source port."},
    [](const DropLine& l) -> Value {
      return l.inner ? port(l.inner->has_ports, l.inner->source_port) : Value{None{}};
    });
constexpr auto kInnerDestinationFields = end_fields<DropLine>(
    kInnerDestinationEnd, {.types = kDrop, .help = "In a tunnel: the inner packet's destination."},
    [](const DropLine& l) -> Value {
      return l.inner ? address_or_none(l.inner->destination) : Value{None{}};
    },
    {.types = kDrop, .help = "In a tunnel: the inner destination port."},
    [](const DropLine& l) -> Value {
      return l.inner ? port(l.inner->has_ports, l.inner->destination_port) : Value{None{}};
    });

constexpr auto kEventFields = std::to_array<Field<DropLine>>({
    {{.key = "kind",
      .heading = "KIND",
      .type = FieldType::enumeration,
      .width = 7,
      .types = kRetransmit,
      .rank = 2,
      .values = kKinds,
      .help = "rto: the timer ran out; fast: duplicate acknowledgements; tlp: a tail loss probe; syn, "
              "syn_ack: of the "
              "handshake; null when the connection's state does not tell."},
     [](const DropLine& l) -> Value {
       return l.kind > KIND_SYN_ACK ? Value{None{}} : one_of(kKinds, l.kind);
     }},
    {{.key = "sequence",
      .heading = "SEQ",
      .type = FieldType::unsigned_integer,
      .width = 10,
      .types = kRetransmit,
      .help = "The sequence number of the segment's first byte, as on the wire; null for a SYN-ACK."},
     [](const DropLine& l) -> Value { return number(l.sequence); }},
    {{.key = "srtt_ms",
      .heading = "SRTT",
      .type = FieldType::duration,
      .width = 7,
      .types = kRetransmit,
      .rank = 6,
      .help = "The connection's smoothed round-trip time; null before the first measurement."},
     [](const DropLine& l) -> Value {
       if (!l.srtt_us || *l.srtt_us == 0) return None{};
       return Duration{std::int64_t{*l.srtt_us} * 1000};
     }},
    {{.key = "retransmits",
      .heading = "RTX",
      .type = FieldType::unsigned_integer,
      .width = 4,
      .types = kRetransmit,
      .rank = 4,
      .help = "Segments that the connection has sent again so far, this one included; of a SYN-ACK, how "
              "often it was before."},
     [](const DropLine& l) -> Value { return number(l.retransmits); }},
    {{.key = "cause",
      .heading = "CAUSE",
      .type = FieldType::text,
      .width = 18,
      .types = kRetransmit,
      .rank = 1,
      .help = "The reason (or location) of a drop on this host that explains the retransmit; null when none "
              "was seen."},
     [](const DropLine& l) -> Value { return text_or_none(l.cause); }},
    {{.key = "cause_location",
      .heading = "CAUSE AT",
      .type = FieldType::text,
      .width = 28,
      .types = kRetransmit,
      .help = "Where that drop happened."},
     [](const DropLine& l) -> Value { return text_or_none(l.cause_location); }},
    {{.key = "cause_certainty",
      .heading = "CERTAINTY",
      .type = FieldType::enumeration,
      .width = 10,
      .types = kRetransmit,
      .values = kCertainties,
      .help =
          "segment: this very segment, or a part of it, was dropped; connection: one of the connection was, within its "
          "last retransmission timeouts, and it is not known which."},
     [](const DropLine& l) -> Value {
       return l.cause.empty() ? Value{None{}} : Value{Name{kCertainties[l.cause_is_segment ? 0 : 1]}};
     }},
    {{.key = "cause_age_ms",
      .heading = "CAUSE AGO",
      .type = FieldType::duration,
      .width = 9,
      .types = kRetransmit,
      .help = "How long before the retransmit that drop was."},
     [](const DropLine& l) -> Value { return l.cause_age ? Value{*l.cause_age} : Value{None{}}; }},
    {{.key = "counter",
      .heading = "COUNTER",
      .type = FieldType::text,
      .width = 24,
      .types = kCounter,
      .help = "The kernel's counter, as nstat(8) names it; softnet_*, rx_*, tx_*, qdisc_* for what is not in "
              "there."},
     [](const DropLine& l) -> Value { return text_or_none(l.counter); }},
    {{.key = "delta",
      .heading = "DELTA",
      .type = FieldType::unsigned_integer,
      .width = 8,
      .types = kCounter,
      .help = "By how much it grew since the last line about it, or since the trace began."},
     [](const DropLine& l) -> Value { return l.delta; }},
});
constexpr auto kFields = joined(kSharedFields, kOwnFields, kSourceFields, kDestinationFields, kPacketFields,
                                kInnerSourceFields, kInnerDestinationFields, kEventFields);
static_assert(valid_fields(kFields));

}  // namespace

constexpr Schema kDropSchemaValue = Schema::of<DropLine, type_of>(kFields, kTypes);
const Schema kDropSchema = kDropSchemaValue;
const std::span<const std::string_view> kDropTypes = kTypes;

void append_counter_sentence(const Row& row, std::string& out) {
  const auto* line = row.event<DropLine>();
  if (line == nullptr) return;
  append_printable(out, line->counter);
  out += fmt::format(" grew by {}", line->delta);
  if (!line->dev.empty()) append_printable(out.append(" on "), line->dev);
  if (!line->hint.empty()) append_printable(out.append(": "), line->hint);
}

std::string_view kind_name(std::uint8_t kind) {
  return kind == KIND_UNKNOWN || kind > KIND_SYN_ACK ? std::string_view{} : kKinds[kind - 1];
}

}  // namespace plumb
