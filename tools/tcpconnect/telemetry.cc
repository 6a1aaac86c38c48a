// Connections as metrics and, on request, attempts as spans (OpenTelemetry's semantic conventions 1.44,
// docs/dotnet/dotnet-network-traces.md, "Socket connect"). The conventions have no metrics of TCP: these are plumb's own.
#include "tcpconnect/telemetry.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string>

#include "base/result.h"
#include "run/otlp_owner.h"
#include "tcpconnect/event.h"

namespace plumb {
namespace {

constexpr std::string_view kOutcomes[] = {"established", "refused",  "timeout",   "unreachable",
                                          "reset",       "no_ports", "cancelled", "error"};
constexpr std::string_view kClosedBy[] = {"", "local", "remote", "reset_local", "reset_remote", "timeout"};
static_assert(std::size(kOutcomes) == OUTCOMES);

constexpr std::string_view kReshaped[] = {"time", "type", "remote_name"};

// The name of the other side where it is known, else its address: server.address of a client.
bool fill_span(const Row& row, otlp::SpanDraft& span) {
  const auto* e = row.event<Connect>();
  if (e == nullptr || e->wire->type != TCPCONNECT_CONNECT || !e->knows(KNOWN_LATENCY)) return false;
  set_owner(span, e->origin);
  std::array<char, IpAddress::kMaxText> text;
  const std::string_view address(text.data(), e->remote.format(text.data()));
  const bool v6 = e->remote.family() == IpAddress::Family::v6;
  span.name = span.keep(
      fmt::format("socket connect {}{}{}:{}", v6 ? "[" : "", address, v6 ? "]" : "", e->wire->remote_port));
  span.kind = otlp::SpanKind::internal;
  span.end = e->origin.time;
  span.start = {span.end.ns - static_cast<std::int64_t>(e->wire->latency_ns)};
  span.failed = e->wire->outcome != OUTCOME_ESTABLISHED;
  otlp::add_fields(row, kReshaped, span);
  span.attributes.push_back({"network.transport", Name{"tcp"}});
  span.attributes.push_back({"network.type", Name{v6 ? "ipv6" : "ipv4"}});
  if (!e->remote_name.empty()) span.attributes.push_back({"server.address", e->remote_name});
  // Every failure has a type; the errno's name is there where there was one.
  if (span.failed && e->wire->error == 0)
    span.attributes.push_back({"error.type", Name{kOutcomes[e->wire->outcome]}});
  return true;
}

// Handshakes and round trips are shorter than requests; lives of connections are much longer (the advice of
// http.client.connection.duration).
constexpr double kHandshakeSeconds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                        0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
constexpr double kLifeSeconds[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300};

enum : std::size_t { kAttempts, kHandshake, kLife, kRoundTrip, kIo, kRetransmits };
constexpr otlp::Instrument kInstruments[] = {
    {"plumb.tcp.connections", "{connection}", "TCP connections attempted or accepted, by outcome."},
    {"plumb.tcp.handshake.duration", "s", "From the first SYN until the attempt was decided.",
     kHandshakeSeconds},
    {"plumb.tcp.connection.duration", "s", "From established until closed.", kLifeSeconds},
    {"plumb.tcp.rtt", "s", "The smoothed round-trip time of connections at their close.", kHandshakeSeconds},
    {"plumb.tcp.io", "By", "Payload of the connections that closed."},
    {"plumb.tcp.connection.retransmits", "{segment}", "Segments that the connections sent again."},
};

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

// Which service: of a client the other side, of a server its own port. Never an ephemeral port.
otlp::AttributeSet service_of(const Connect& e) {
  otlp::AttributeSet out;
  if (e.wire->role == ROLE_CLIENT) {
    out.text("plumb.role", "client");
    out.add("server.address", e.remote_name.empty() ? Value{e.remote} : Value{e.remote_name});
    out.number("server.port", e.wire->remote_port);
  } else if (e.wire->role == ROLE_SERVER) {
    out.text("plumb.role", "server");
    out.number("server.port", e.wire->local_port);
  }
  return out;
}

void measure_close(const Connect& e, otlp::Measures& measures) {
  const otlp::AttributeSet service = service_of(e);
  if (e.knows(KNOWN_DURATION)) {
    otlp::AttributeSet life = service;
    life.text("plumb.closed_by", kClosedBy[e.wire->closed_by]);
    measures.add(kLife, seconds(e.wire->duration_ns), life);
  }
  if (e.wire->srtt_us != 0) measures.add(kRoundTrip, seconds(std::uint64_t{e.wire->srtt_us} * 1000), service);
  const auto transferred = [&](std::string_view direction, std::uint64_t bytes) {
    otlp::AttributeSet out = service;
    out.text("network.io.direction", direction);
    measures.add(kIo, static_cast<double>(bytes), out);
  };
  transferred("transmit", e.wire->tx_bytes);
  transferred("receive", e.wire->rx_bytes);
  measures.add(kRetransmits, e.wire->retransmits, service);
}

void measure(const Row& row, otlp::Measures& measures) {
  const auto* e = row.event<Connect>();
  if (e == nullptr) return;
  if (e->wire->type == TCPCONNECT_CLOSE) return measure_close(*e, measures);
  otlp::AttributeSet attempt = service_of(*e);
  attempt.text("plumb.outcome", kOutcomes[e->wire->outcome]);
  attempt.text("error.type", errno_name(static_cast<int>(e->wire->error)));
  measures.add(kAttempts, 1, attempt);
  if (e->knows(KNOWN_LATENCY)) measures.add(kHandshake, seconds(e->wire->latency_ns), attempt);
}

}  // namespace

const otlp::Telemetry kTcpconnectTelemetry{
    .spans_name = "connect", .span = fill_span, .instruments = kInstruments, .measure = measure};

}  // namespace plumb
