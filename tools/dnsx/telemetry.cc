// Lookups as metrics and, on request, spans, by OpenTelemetry's semantic conventions (docs/dns/dns-metrics.md; for spans
// docs/dotnet/dotnet-network-traces.md), version 1.44. What they have no name for is plumb's own.
#include "dnsx/telemetry.h"

#include <string>

#include "dnsx/event.h"
#include "run/otlp_owner.h"

namespace plumb {
namespace {

using dns::Outcome;
using dns::Role;

std::string_view outcome_of(const Query& q) {
  return kOutcomeNames[static_cast<std::size_t>(q.lookup.outcome)];
}

// error.type: the server's code when it is not NOERROR, or that none came, in time or at all; empty: no error.
std::string_view error_type(const Query& q) {
  if (q.lookup.outcome == Outcome::timeout || q.lookup.outcome == Outcome::late)
    return kOutcomeNames[static_cast<std::size_t>(Outcome::timeout)];
  if (q.lookup.outcome == Outcome::unreachable || q.lookup.outcome == Outcome::malformed)
    return outcome_of(q);
  return q.rcode == "NOERROR" ? std::string_view{} : q.rcode;
}

// A call is told by the lookups that it led to, and what an encrypted connection carries is not known.
bool is_lookup(const Query& q) {
  return q.call == nullptr && q.lookup.outcome != Outcome::encrypted;
}

std::int64_t latency_ns(const Query& q) {
  if (!q.lookup.answered || q.lookup.answered->ns < q.lookup.asked.ns) return -1;
  return static_cast<std::int64_t>(q.lookup.answered->ns - q.lookup.asked.ns);
}

constexpr std::string_view kReshaped[] = {"time", "type"};

bool fill_span(const Row& row, otlp::SpanDraft& span) {
  const auto* q = row.event<Query>();
  if (q == nullptr || !is_lookup(*q) || latency_ns(*q) < 0) return false;  // without an answer it has no end
  set_owner(span, q->origin);
  const bool reverse = q->lookup.name.ends_with(".in-addr.arpa") || q->lookup.name.ends_with(".ip6.arpa");
  span.name = span.keep((reverse ? "DNS reverse lookup " : "DNS lookup ") + q->lookup.name);
  span.kind = q->lookup.role == Role::server ? otlp::SpanKind::server : otlp::SpanKind::internal;
  span.start = q->origin.time;
  span.end = {span.start.ns + latency_ns(*q)};
  otlp::add_fields(row, kReshaped, span);
  if (const std::string_view error = error_type(*q); !error.empty()) {
    span.failed = true;
    span.attributes.push_back({"error.type", error});
  }
  return true;
}

enum : std::size_t { kDuration, kServed, kLookups };
constexpr otlp::Instrument kInstruments[] = {
    {"dns.lookup.duration", "s", "Measures the time taken to perform a DNS lookup.", otlp::kRequestSeconds},
    {"plumb.dns.server.duration", "s", "How long this host's name servers took to answer.",
     otlp::kRequestSeconds},
    {"plumb.dns.lookups", "{lookup}", "DNS lookups by how they ended."},
};

void measure(const Row& row, otlp::Measures& measures) {
  const auto* q = row.event<Query>();
  if (q == nullptr || !is_lookup(*q)) return;
  const bool server = q->lookup.role == Role::server;
  otlp::AttributeSet count;
  count.text("plumb.role", server ? "server" : "client");
  count.text("plumb.outcome", outcome_of(*q));
  count.text("plumb.qtype", q->type);
  count.text("plumb.rcode", q->rcode);
  measures.add(kLookups, 1, count);
  if (latency_ns(*q) < 0) return;
  otlp::AttributeSet of_duration;
  // What a server is asked for is its clients' to choose, so that it would be without bound.
  if (!server) of_duration.text("dns.question.name", q->lookup.name);
  of_duration.text("error.type", error_type(*q));
  measures.add(server ? kServed : kDuration, static_cast<double>(latency_ns(*q)) / 1e9, of_duration);
}

}  // namespace

const otlp::Telemetry kDnsxTelemetry{
    .spans_name = "dns", .span = fill_span, .instruments = kInstruments, .measure = measure};

}  // namespace plumb
