// The field tables of tcpconnect: its lines and its summary.
#include "base/result.h"
#include "base/text.h"
#include "event/ends.h"
#include "tcpconnect/event.h"

namespace plumb {
namespace {

constexpr std::string_view kTypes[] = {"connect", "accept", "close"};
constexpr TypeMask kClose = 1U << TCPCONNECT_CLOSE;

constexpr std::string_view kRoles[] = {"client", "server"};
// In the order of enum tcpconnect_outcome.
constexpr std::string_view kOutcomes[] = {"established", "refused",  "timeout",   "unreachable",
                                          "reset",       "no_ports", "cancelled", "error"};
constexpr std::string_view kFailures[] = {"refused",  "timeout",   "unreachable", "reset",
                                          "no_ports", "cancelled", "error"};
constexpr std::string_view kClosedBy[] = {"local", "remote", "reset_local", "reset_remote", "timeout"};

Value role_name(std::uint8_t role) {
  return role == ROLE_CLIENT   ? Value{Name{kRoles[0]}}
         : role == ROLE_SERVER ? Value{Name{kRoles[1]}}
                               : Value{None{}};
}
Value duration(bool known, std::uint64_t ns) {
  return known ? Value{Duration{static_cast<std::int64_t>(ns)}} : Value{None{}};
}

std::size_t type_of(const Connect& e) {
  return e.wire->type;
}

constexpr auto kSharedFields = shared_fields<Connect, type_of, kTypes>(
    {.time = "When the attempt was decided; of a close, when this side closed or the connection broke.",
     .type =
         "connect: an attempt was decided; accept: a server took a connection; close: a connection ended.",
     .pid = "The process that owns the socket; null when that is not known.",
     .tid = "The thread that called connect or accept."});

constexpr auto kRoleField = std::to_array<Field<Connect>>({
    {{.key = "role",
      .heading = "ROLE",
      .type = FieldType::enumeration,
      .width = 6,
      .rank = 4,
      .values = kRoles,
      .help = "client: this side connected; server: it accepted; null: older than the trace."},
     [](const Connect& e) -> Value { return role_name(e.wire->role); }},
});

constexpr auto kLocalFields = end_fields<Connect>(
    kLocalEnd, {.shown = true, .rank = 8, .help = "This side's address; IPv4 in IPv6 is shown as IPv4."},
    [](const Connect& e) -> Value { return address_or_none(e.local); },
    {.shown = true, .rank = 6, .help = "This side's port; null when none was bound."},
    [](const Connect& e) -> Value { return number_or_none(e.wire->local_port); });
constexpr auto kRemoteFields = end_fields<Connect>(
    kRemoteEnd, {.group = true, .shown = true, .help = "The other side's address."},
    [](const Connect& e) -> Value { return address_or_none(e.remote); },
    {.group = true, .shown = true, .help = "The other side's port; 0 where a program connects to that."},
    [](const Connect& e) -> Value { return std::uint64_t{e.wire->remote_port}; });

constexpr auto kOwnFields = std::to_array<Field<Connect>>({
    {{.key = "port",
      .heading = "PORT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .otlp = "server.port",
      .help =
          "The service's port: of a client the other side's, of a server its own; null: older than the trace."},
     [](const Connect& e) -> Value {
       return e.wire->role == ROLE_CLIENT   ? Value{std::uint64_t{e.wire->remote_port}}
              : e.wire->role == ROLE_SERVER ? Value{std::uint64_t{e.wire->local_port}}
                                            : Value{None{}};
     }},
    {{.key = "remote_name",
      .heading = "NAME",
      .type = FieldType::text,
      .width = 20,
      .otlp = "server.address",
      .help =
          "The name that led to the other side's address, from DNS answers seen during the trace; null when none "
          "was, or several names lead there."},
     [](const Connect& e) -> Value { return text_or_none(e.remote_name); }},
    {{.key = "outcome",
      .heading = "OUTCOME",
      .type = FieldType::enumeration,
      .width = 11,
      .shown = true,
      .values = kOutcomes,
      .alerts = kFailures,
      .help = "How the attempt ended."},
     [](const Connect& e) -> Value { return Name{kOutcomes[e.wire->outcome]}; }},
    {{.key = "error",
      .heading = "ERROR",
      .type = FieldType::text,
      .width = 12,
      .otlp = "error.type",
      .help = "The name of a failed attempt's errno, such as ECONNREFUSED; null when there was none."},
     [](const Connect& e) -> Value { return name_or_none(errno_name(static_cast<int>(e.wire->error))); }},
    {{.key = "latency_ms",
      .heading = "LATENCY",
      .type = FieldType::duration,
      .width = 8,
      .shown = true,
      .rank = 1,
      .help = "client: from the first SYN until decided; server: the round trip of the SYN-ACK."},
     [](const Connect& e) -> Value { return duration(e.knows(KNOWN_LATENCY), e.wire->latency_ns); }},
    {{.key = "syn_retries",
      .heading = "SYNRTX",
      .type = FieldType::unsigned_integer,
      .width = 6,
      .help = "SYNs (server: SYN-ACKs) that were sent again; null when that was before the trace."},
     [](const Connect& e) -> Value {
       return e.knows(KNOWN_SYN_RETRIES) ? Value{std::uint64_t{e.wire->syn_retries}} : Value{None{}};
     }},
    {{.key = "duration_ms",
      .heading = "DURATION",
      .type = FieldType::duration,
      .width = 8,
      .types = kClose,
      .rank = 3,
      .help =
          "From established until this side closed it, or it broke; null when it is older than the trace."},
     [](const Connect& e) -> Value { return duration(e.knows(KNOWN_DURATION), e.wire->duration_ns); }},
    {{.key = "tx_bytes",
      .heading = "TX",
      .type = FieldType::bytes,
      .width = 6,
      .types = kClose,
      .rank = 5,
      .help = "Payload sent, each byte counted once."},
     [](const Connect& e) -> Value { return std::uint64_t{e.wire->tx_bytes}; }},
    {{.key = "rx_bytes",
      .heading = "RX",
      .type = FieldType::bytes,
      .width = 6,
      .types = kClose,
      .rank = 5,
      .help = "Payload received in order."},
     [](const Connect& e) -> Value { return std::uint64_t{e.wire->rx_bytes}; }},
    {{.key = "retransmits",
      .heading = "RTX",
      .type = FieldType::unsigned_integer,
      .width = 4,
      .types = kClose,
      .help = "Segments sent again in the connection's whole life, SYNs included, as ss(8) counts them."},
     [](const Connect& e) -> Value { return std::uint64_t{e.wire->retransmits}; }},
    {{.key = "srtt_ms",
      .heading = "SRTT",
      .type = FieldType::duration,
      .width = 8,
      .types = kClose,
      .help = "The smoothed round-trip time at the close; null when never measured."},
     [](const Connect& e) -> Value {
       return duration(e.wire->srtt_us != 0, std::uint64_t{e.wire->srtt_us} * 1000);
     }},
    {{.key = "closed_by",
      .heading = "CLOSED BY",
      .type = FieldType::enumeration,
      .width = 12,
      .types = kClose,
      .rank = 4,
      .values = kClosedBy,
      .help =
          "Who ended it: the side whose FIN or RST came first, or timeout when the peer stopped answering."},
     [](const Connect& e) -> Value {
       return e.wire->closed_by == CLOSED_UNKNOWN ? Value{None{}}
                                                  : Value{Name{kClosedBy[e.wire->closed_by - 1]}};
     }},
});
constexpr auto kFields = joined(kSharedFields, kRoleField, kLocalFields, kRemoteFields, kOwnFields);
static_assert(valid_fields(kFields));

constexpr std::string_view kSummaryTypes[] = {"summary"};
std::size_t summary_type(const ConnectSummary&) {
  return 0;
}

Value latency_at(const ConnectSummary& s, double q) {
  const auto l = s.latency(q);
  return l ? Value{*l} : Value{None{}};
}
Value of_closes(const ConnectSummary& s, std::uint64_t n) {
  return s.knows_closes ? Value{n} : Value{None{}};
}
template <tcpconnect_outcome Outcome>
Value outcome_count(const ConnectSummary& s) {
  return std::uint64_t{s.value->outcomes[Outcome]};
}

constexpr auto kSummaryFields = std::to_array<Field<ConnectSummary>>({
    {{.key = "type",
      .heading = "TYPE",
      .type = FieldType::enumeration,
      .width = 7,
      .values = kSummaryTypes,
      .help = "summary."},
     [](const ConnectSummary&) -> Value { return Name{kSummaryTypes[0]}; }},
    {{.key = "pid",
      .heading = "PID",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .shown = true,
      .rank = 8,
      .otlp = "process.pid",
      .help = "The process that owned the sockets; null when that is not known."},
     [](const ConnectSummary& s) -> Value { return number_or_none(s.key->pid); }},
    {{.key = "comm",
      .heading = "COMM",
      .type = FieldType::text,
      .width = 16,
      .shown = true,
      .help = "The owner's command name."},
     [](const ConnectSummary& s) -> Value { return text_or_none(padded_text(s.key->comm)); }},
    {{.key = "role",
      .heading = "ROLE",
      .type = FieldType::enumeration,
      .width = 6,
      .shown = true,
      .rank = 7,
      .values = kRoles,
      .help = "client: it connected; server: it accepted; null: older than the trace."},
     [](const ConnectSummary& s) -> Value { return role_name(s.key->role); }},
    {{.key = "remote_addr",
      .heading = "REMOTE",
      .type = FieldType::address,
      .width = 15,
      .shown = true,
      .port = "port",
      .otlp = "network.peer.address",
      .help = "client: the destination; null for a server."},
     [](const ConnectSummary& s) -> Value { return address_or_none(s.remote); }},
    {{.key = "port",
      .heading = "PORT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .shown = true,
      .help = "client: the destination's port; server: the local port; of older connections the lower one."},
     [](const ConnectSummary& s) -> Value { return std::uint64_t{s.key->port}; }},
    {{.key = "attempts",
      .heading = "ATTEMPTS",
      .type = FieldType::unsigned_integer,
      .width = 8,
      .shown = true,
      .help = "Attempts decided, or connections accepted."},
     [](const ConnectSummary& s) -> Value { return s.attempts(); }},
    {{.key = "failed",
      .heading = "FAILED",
      .type = FieldType::unsigned_integer,
      .width = 6,
      .shown = true,
      .help = "Of these: not established."},
     [](const ConnectSummary& s) -> Value { return s.attempts() - s.value->outcomes[OUTCOME_ESTABLISHED]; }},
    {{.key = "established",
      .heading = "ESTAB",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .shown = true,
      .rank = 6,
      .help = "Of these: established."},
     outcome_count<OUTCOME_ESTABLISHED>},
    {{.key = "refused",
      .heading = "REFUSED",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .if_any = true,
      .rank = 5,
      .help = "Of these: refused by the peer."},
     outcome_count<OUTCOME_REFUSED>},
    {{.key = "timeout",
      .heading = "TIMEOUT",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .if_any = true,
      .rank = 5,
      .help = "Of these: no answer."},
     outcome_count<OUTCOME_TIMEOUT>},
    {{.key = "unreachable",
      .heading = "UNREACH",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .if_any = true,
      .rank = 5,
      .help = "Of these: no route, or ICMP unreachable."},
     outcome_count<OUTCOME_UNREACHABLE>},
    {{.key = "reset",
      .heading = "RESET",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .if_any = true,
      .rank = 5,
      .help = "Of these: reset during the handshake."},
     outcome_count<OUTCOME_RESET>},
    {{.key = "no_ports",
      .heading = "NOPORTS",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .if_any = true,
      .rank = 5,
      .help = "Of these: no local port was left."},
     outcome_count<OUTCOME_NO_PORTS>},
    {{.key = "cancelled",
      .heading = "CANCEL",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .if_any = true,
      .rank = 5,
      .help = "Of these: given up by the process before they were decided."},
     outcome_count<OUTCOME_CANCELLED>},
    {{.key = "error",
      .heading = "ERROR",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .if_any = true,
      .rank = 5,
      .help = "Of these: failed otherwise."},
     outcome_count<OUTCOME_ERROR>},
    {{.key = "latency_p50_ms",
      .heading = "P50",
      .type = FieldType::duration,
      .width = 7,
      .shown = true,
      .rank = 2,
      .help = "Median handshake latency of the established, within 6.25 %."},
     [](const ConnectSummary& s) -> Value { return latency_at(s, 0.5); }},
    {{.key = "latency_p90_ms",
      .heading = "P90",
      .type = FieldType::duration,
      .width = 7,
      .shown = true,
      .rank = 4,
      .help = "90th percentile, within 6.25 %."},
     [](const ConnectSummary& s) -> Value { return latency_at(s, 0.9); }},
    {{.key = "latency_p99_ms",
      .heading = "P99",
      .type = FieldType::duration,
      .width = 7,
      .shown = true,
      .rank = 1,
      .help = "99th percentile, within 6.25 %."},
     [](const ConnectSummary& s) -> Value { return latency_at(s, 0.99); }},
    {{.key = "latency_max_ms",
      .heading = "MAX",
      .type = FieldType::duration,
      .width = 7,
      .shown = true,
      .rank = 3,
      .help = "The longest, exact."},
     [](const ConnectSummary& s) -> Value {
       return duration(s.value->outcomes[OUTCOME_ESTABLISHED] != 0, s.value->max_latency_ns);
     }},
    {{.key = "closed",
      .heading = "CLOSED",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .help = "Connections that ended during the trace; null for saved lines without closes."},
     [](const ConnectSummary& s) -> Value { return of_closes(s, s.value->closed); }},
    {{.key = "tx_bytes",
      .heading = "TX",
      .type = FieldType::bytes,
      .width = 6,
      .shown = true,
      .rank = 7,
      .help =
          "Payload sent by connections that ended during the trace; null for saved lines without closes."},
     [](const ConnectSummary& s) -> Value { return of_closes(s, s.value->tx_bytes); }},
    {{.key = "rx_bytes",
      .heading = "RX",
      .type = FieldType::bytes,
      .width = 6,
      .shown = true,
      .rank = 7,
      .help =
          "Payload received by connections that ended during the trace; null for saved lines without closes."},
     [](const ConnectSummary& s) -> Value { return of_closes(s, s.value->rx_bytes); }},
    {{.key = "retransmits",
      .heading = "RTX",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .if_any = true,
      .rank = 7,
      .help =
          "Segments sent again by connections that ended during the trace; null for saved lines without closes."},
     [](const ConnectSummary& s) -> Value { return of_closes(s, s.value->retransmits); }},
});
static_assert(valid_fields(kSummaryFields));

}  // namespace

constinit const Schema kConnectSchema = Schema::of<Connect, type_of>(kFields, kTypes);
constinit const Schema kConnectSummarySchema =
    Schema::of<ConnectSummary, summary_type>(kSummaryFields, kSummaryTypes);

}  // namespace plumb
