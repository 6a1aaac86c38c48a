// The field table of dnsx.
#include <cstring>

#include "dnsx/event.h"

namespace plumb {
namespace {

constexpr std::string_view kTypes[] = {"query", "call"};
constexpr std::string_view kRoles[] = {"client", "server"};
// An answer that says nothing about the name. NXDOMAIN does.
constexpr std::string_view kRefusals[] = {"FORMERR", "SERVFAIL", "NOTIMP", "REFUSED"};
constexpr std::string_view kTroubles[] = {"timeout", "late", "unreachable", "failed", "malformed"};
constexpr std::string_view kTransports[] = {"udp", "tcp", "dot", "doh"};
// In the order of dns::CallFunction.
constexpr std::string_view kFunctions[] = {"getaddrinfo", "gethostbyname"};
constexpr std::uint16_t kTypeA = 1;

std::size_t type_of(const Query& q) {
  return q.call != nullptr ? 1 : 0;
}

Value between(BootTime from, const std::optional<BootTime>& to) {
  if (!to) return None{};
  return Duration{to->ns > from.ns ? static_cast<std::int64_t>(to->ns - from.ns) : 0};
}

constexpr auto kSharedFields = shared_fields<Query, type_of, kTypes>(
    {.time = "When the first query was sent; with role server: when it came in. Of a call, when it began.",
     .type = "query: a lookup ended. call, with --libc: a call of the C library's resolver returned.",
     .pid = "The process that owns the socket, or that called; null when that is not known.",
     .tid = "The thread that sent the query, or the answer, or that called; null when that is not known.",
     .comm_width = 12});

constexpr auto kOwnFields = std::to_array<Field<Query>>({
    {{.key = "role",
      .heading = "ROLE",
      .type = FieldType::enumeration,
      .width = 6,
      .types = kQueryRows,
      .rank = 5,
      .values = kRoles,
      .help = "client: this side asked; server: it answered."},
     [](const Query& q) -> Value { return Name{kRoles[static_cast<std::size_t>(q.lookup.role)]}; }},
    {{.key = "name",
      .heading = "NAME",
      .type = FieldType::text,
      .width = 26,
      .group = true,
      .shown = true,
      .otlp = "dns.question.name",
      .help =
          "The name, as it is on the wire, special bytes as RFC 4343 writes them; null without a question. Of a "
          "call, as it was asked for."},
     [](const Query& q) -> Value { return text_or_none(q.call != nullptr ? q.call->name : q.lookup.name); }},
    {{.key = "qtype",
      .heading = "QTYPE",
      .type = FieldType::text,
      .width = 5,
      .group = true,
      .shown = true,
      .rank = 1,
      .help =
          "The type of record that was asked for, such as AAAA; TYPE4711 for one without a name; null for a "
          "call that takes any address."},
     [](const Query& q) -> Value { return text_or_none(q.type); }},
    {{.key = "outcome",
      .heading = "OUTCOME",
      .type = FieldType::enumeration,
      .width = 11,
      .shown = true,
      .values = kOutcomeNames,
      .alerts = kTroubles,
      .help =
          "answered; nodata: the name has no such record; timeout: no answer in time; late: one after that; "
          "unreachable: ICMP said that there is no server; malformed: the answer is no DNS message to its end; "
          "encrypted: a connection for lookups that are not decoded; "
          "failed: of a call, an error that says nothing about the name; pending: the trace ended first, or of a call "
          "its thread, or it was left by a jump."},
     [](const Query& q) -> Value {
       return Name{
           kOutcomeNames[static_cast<std::size_t>(q.call != nullptr ? q.call->outcome() : q.lookup.outcome)]};
     }},
    {{.key = "cached",
      .heading = "CACHED",
      .type = FieldType::boolean,
      .width = 6,
      .help =
          "Of a call: whether it knew without a query on the wire, from a cache or the hosts file; null for "
          "lookups, and when it does not know."},
     [](const Query& q) -> Value {
       const auto cached = q.call != nullptr ? q.call->cached() : std::nullopt;
       return cached ? Value{*cached} : Value{None{}};
     }},
    {{.key = "function",
      .heading = "FUNCTION",
      .type = FieldType::enumeration,
      .width = 13,
      .types = kCallRows,
      .values = kFunctions,
      .help = "What was called; gethostbyname stands for all of its kind."},
     [](const Query& q) -> Value { return Name{kFunctions[static_cast<std::size_t>(q.call->function)]}; }},
    {{.key = "error",
      .heading = "ERROR",
      .type = FieldType::text,
      .width = 10,
      .types = kCallRows,
      .help = "Why it has no answer, as netdb.h names it: EAI_NONAME; null when it has one."},
     [](const Query& q) -> Value { return text_or_none(q.error); }},
    {{.key = "call_ms",
      .heading = "CALL",
      .type = FieldType::duration,
      .width = 8,
      .types = kCallRows,
      .help = "How long it took the application; null when it did not return."},
     [](const Query& q) -> Value { return between(q.call->began, q.call->ended); }},
    {{.key = "caller_pid",
      .heading = "FOR PID",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .types = kQueryRows,
      .help = "With --libc: the process whose call led to the lookup, also where another one, such as "
              "systemd-resolved, asked for it; null when that is not known, or there are several."},
     [](const Query& q) -> Value { return number_or_none(q.caller.pid); }},
    {{.key = "caller_comm",
      .heading = "FOR",
      .type = FieldType::text,
      .width = 12,
      .types = kQueryRows,
      .help = "Its command name."},
     [](const Query& q) -> Value { return text_or_none(q.caller_comm); }},
    {{.key = "search_of",
      .heading = "SEARCH OF",
      .type = FieldType::text,
      .width = 16,
      .types = kQueryRows,
      .group = true,
      .help =
          "The name that was wanted, where a resolver tried a search list's suffixes on it; null otherwise."},
     [](const Query& q) -> Value { return text_or_none(q.lookup.search_of); }},
    {{.key = "rcode",
      .heading = "RCODE",
      .type = FieldType::text,
      .width = 8,
      .types = kQueryRows,
      .group = true,
      .shown = true,
      .rank = 1,
      .alerts = kRefusals,
      .help = "The server's response code, such as NXDOMAIN; null without an answer."},
     [](const Query& q) -> Value { return text_or_none(q.rcode); }},
    {{.key = "latency_ms",
      .heading = "LATENCY",
      .type = FieldType::duration,
      .width = 8,
      .types = kQueryRows,
      .shown = true,
      .rank = 0,
      .help = "On the wire, from the first query until the answer; null without one."},
     [](const Query& q) -> Value { return between(q.lookup.asked, q.lookup.answered); }},
    {{.key = "pickup_ms",
      .heading = "PICKUP",
      .type = FieldType::duration,
      .width = 8,
      .types = kQueryRows,
      .help = "From the answer's arrival until the application read it; null when that was not seen."},
     [](const Query& q) -> Value {
       return q.lookup.answered ? between(*q.lookup.answered, q.lookup.picked_up) : Value{None{}};
     }},
    {{.key = "attempts",
      .heading = "TRIES",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .help =
          "Queries sent: retransmissions, other servers and TCP after a truncated answer included. Of a call: "
          "all that it led to."},
     [](const Query& q) -> Value {
       return std::uint64_t{q.call != nullptr ? q.call->attempts : q.lookup.attempts};
     }},
    {{.key = "transport",
      .heading = "VIA",
      .type = FieldType::enumeration,
      .width = 3,
      .types = kQueryRows,
      .otlp = "network.transport",
      .values = kTransports,
      .help =
          "udp or tcp, of the answer or, without one, of the last query; tcp with the flag TC: after a truncated "
          "answer over UDP. Of an encrypted connection dot (port 853) or doh (port 443 of a known resolver)."},
     [](const Query& q) -> Value { return Name{kTransports[static_cast<std::size_t>(q.lookup.transport)]}; }},
    {{.key = "server",
      .heading = "SERVER",
      .type = FieldType::address,
      .width = 15,
      .types = kQueryRows,
      .group = true,
      .rank = 5,
      .port = "server_port",
      .otlp = "server.address",
      .help = "The server that answered or, without an answer, was asked last."},
     [](const Query& q) -> Value { return address_or_none(q.lookup.server.address); }},
    {{.key = "server_port",
      .heading = "SPORT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .types = kQueryRows,
      .otlp = "server.port",
      .help = "Its port."},
     [](const Query& q) -> Value { return number_or_none(q.lookup.server.port); }},
    {{.key = "client",
      .heading = "CLIENT",
      .type = FieldType::address,
      .width = 15,
      .types = kQueryRows,
      .rank = 4,
      .otlp = "client.address",
      .help = "The address that asked."},
     [](const Query& q) -> Value { return address_or_none(q.lookup.client.address); }},
    {{.key = "local_port",
      .heading = "LPORT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .types = kQueryRows,
      .help = "This side's port: with role server the server's, otherwise the one that asked."},
     [](const Query& q) -> Value {
       return number_or_none(q.lookup.role == dns::Role::server ? q.lookup.server.port
                                                                : q.lookup.client.port);
     }},
    {{.key = "txid",
      .heading = "TXID",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .types = kQueryRows,
      .help =
          "The transaction id of the query that was answered or, without an answer, was the last; null of an "
          "encrypted connection."},
     [](const Query& q) -> Value {
       if (q.lookup.outcome == dns::Outcome::encrypted) return None{};
       return std::uint64_t{q.lookup.id};
     }},
    {{.key = "flags",
      .heading = "FLAGS",
      .type = FieldType::list,
      .width = 8,
      .types = kQueryRows,
      .help = "Those of AA TC RD RA AD CD that are set in the answer or, without one, in the query."},
     [](const Query& q) -> Value { return TextList(q.flags.data(), q.flag_count); }},
    {{.key = "edns_udp_bytes",
      .heading = "EDNS",
      .type = FieldType::bytes,
      .width = 5,
      .types = kQueryRows,
      .help = "The largest answer over UDP that the query allows by EDNS; null without EDNS."},
     [](const Query& q) -> Value {
       const auto& size = q.lookup.query_edns_bytes;
       return size ? Value{std::uint64_t{*size}} : Value{None{}};
     }},
    {{.key = "request_bytes",
      .heading = "REQ",
      .type = FieldType::bytes,
      .width = 5,
      .types = kQueryRows,
      .help = "Size of the first query's message; null of an encrypted connection."},
     [](const Query& q) -> Value { return number_or_none(q.lookup.request_bytes); }},
    {{.key = "response_bytes",
      .heading = "RESP",
      .type = FieldType::bytes,
      .width = 5,
      .types = kQueryRows,
      .help = "Size of the answer's message; null without an answer."},
     [](const Query& q) -> Value { return number_or_none(q.lookup.response_bytes); }},
    {{.key = "misfits",
      .heading = "MISFIT",
      .type = FieldType::unsigned_integer,
      .width = 6,
      .types = kQueryRows,
      .help =
          "Answers to its port from another server, or with another id or question: forged, or too late."},
     [](const Query& q) -> Value { return std::uint64_t{q.lookup.misfits}; }},
    {{.key = "answer_count",
      .heading = "COUNT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .help = "How many records the answer section has; null without an answer. Of a call: addresses."},
     [](const Query& q) -> Value {
       if (q.call != nullptr)
         return q.call->ended ? Value{std::uint64_t{q.call->answers.size()}} : Value{None{}};
       return q.lookup.answered ? Value{std::uint64_t{q.lookup.answer.answer_count()}} : Value{None{}};
     }},
    {{.key = "ttls",
      .heading = "TTLS",
      .type = FieldType::list,
      .width = 8,
      .types = kQueryRows,
      .help = "The answers' times to live in seconds, one for each, as text; null without an answer."},
     [](const Query& q) -> Value {
       return q.lookup.answered ? Value{q.lookup.answer.ttls()} : Value{None{}};
     }},
    {{.key = "answers",
      .heading = "ANSWERS",
      .type = FieldType::list,
      .width = 16,
      .shown = true,
      .rank = 4,
      .otlp = "dns.answers",
      .help =
          "The answer section in its order: addresses as they are, other records with their type in front; null "
          "without an answer. Of a call: the addresses that it returned, each once, the first 16."},
     [](const Query& q) -> Value {
       if (q.call != nullptr)
         return q.call->ended && q.call->error == 0 ? Value{TextList(q.call->answers)} : Value{None{}};
       return q.lookup.answered ? Value{q.lookup.answer.answers()} : Value{None{}};
     }},
});
constexpr auto kFields = joined(kSharedFields, kOwnFields);
static_assert(valid_fields(kFields));

struct FlagName {
  dns::Flag flag;
  std::string_view name;
};
const dns::Lookup kNoLookup;

constexpr FlagName kFlags[] = {{dns::kAa, "AA"}, {dns::kTc, "TC"}, {dns::kRd, "RD"},
                               {dns::kRa, "RA"}, {dns::kAd, "AD"}, {dns::kCd, "CD"}};

}  // namespace

constinit const Schema kQuerySchema = Schema::of<Query, type_of>(kFields, kTypes);

void Query::set_owner(const dns::Owner& owner) {
  if (owner.pid == 0) return;
  static_assert(sizeof task <= dns::Owner::kIdentityBytes);
  std::memcpy(&task, owner.identity.data(), sizeof task);
  set_process(origin, task);
}

Query::Query(const dns::Call& c, const BootClock& clock) : lookup(kNoLookup), call(&c) {
  origin.time = clock.to_unix(c.began);
  origin.netns = c.netns;
  set_owner(c.owner);
  if (c.type != 0) type = c.type == kTypeA ? "A" : "AAAA";
  error = c.error_name(error_room_);
}

Query::Query(const dns::Lookup& l, const BootClock& clock) : lookup(l) {
  origin.time = clock.to_unix(l.asked);
  origin.netns = l.netns;
  set_owner(l.owner);
  if (l.caller.pid != 0) {
    std::memcpy(&caller, l.caller.identity.data(), sizeof caller);
    caller_comm = std::string_view(caller.comm, ::strnlen(caller.comm, sizeof caller.comm));
  }
  if (!l.name.empty()) type = dns::type_name(l.type, type_room_);
  if (l.answered) rcode = dns::rcode_name(l.answer.rcode(), rcode_room_);
  const unsigned set = (l.answered ? unsigned{l.answer.flags()} : unsigned{l.query_flags}) |
                       (l.truncated ? unsigned{dns::kTc} : 0U);
  for (const FlagName& f : kFlags) {
    if ((set & f.flag) != 0) flags[flag_count++] = f.name;
  }
}

void enrich(Query& query, ProcessCache& processes) {
  if (query.origin.pid != 0) set_container(query.origin, query.task, processes);
}

}  // namespace plumb
