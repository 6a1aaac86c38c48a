// Requests as spans and metrics, by OpenTelemetry's semantic conventions for HTTP and RPC (docs/http/http-spans.md,
// http-metrics.md, docs/rpc/grpc.md), version 1.44.
#include "httptrace/telemetry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "httptrace/event.h"
#include "run/otlp_owner.h"

namespace plumb {
namespace {

using http::Role;
using otlp::Attribute;
using otlp::SpanDraft;
using otlp::SpanKind;

// RFC 9110, RFC 5789 (PATCH) and QUERY; others are told as _OTHER.
constexpr std::string_view kMethods[] = {"CONNECT", "DELETE", "GET", "HEAD",  "OPTIONS",
                                         "PATCH",   "POST",   "PUT", "QUERY", "TRACE"};
constexpr std::string_view kOther = "_OTHER";

std::string_view known_method(std::string_view method) {
  const bool known = std::ranges::find(kMethods, method) != std::end(kMethods);
  return known ? method : kOther;
}

bool is_rpc(const Request& r) {
  return r.exchange->stream == http::Stream::grpc;
}

std::string_view rpc_method(const Request& r) {
  const std::string_view path = r.exchange->path;
  return path.size() > 1 ? path.substr(1) : std::string_view{};
}

// Codes that are an error of the server; for a client every one but OK is.
bool rpc_failed(const Request& r) {
  constexpr std::string_view kServers[] = {"UNKNOWN",  "DEADLINE_EXCEEDED", "UNIMPLEMENTED",
                                           "INTERNAL", "UNAVAILABLE",       "DATA_LOSS"};
  if (!r.exchange->grpc_status) return false;
  const std::string_view name = http::grpc_status_name(*r.exchange->grpc_status);
  if (r.role == Role::server) return std::ranges::find(kServers, name) != std::end(kServers);
  return name != "OK";
}

constexpr std::string_view kFailures[] = {"reset", "closed", "timeout", "trace_ended", "lost"};

// Whether something went wrong with the request itself: not that plumb did not see its end.
bool broke(const Request& r) {
  const http::Failure failure = r.exchange->failure;
  return failure == http::Failure::reset || failure == http::Failure::closed ||
         failure == http::Failure::timed_out;
}

bool status_failed(const Request& r) {
  return r.exchange->status >= (r.role == Role::server ? 500 : 400);
}

// error.type; empty: no error. `buffer` holds a status.
std::string_view error_type(const Request& r, std::array<char, 8>& buffer) {
  if (r.exchange->failure != http::Failure::none)
    return broke(r) ? kFailures[static_cast<std::size_t>(r.exchange->failure) - 1] : std::string_view{};
  if (is_rpc(r) && rpc_failed(r)) return http::grpc_status_name(*r.exchange->grpc_status);
  if ((is_rpc(r) && r.exchange->grpc_status) || !status_failed(r)) return {};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), r.exchange->status).ptr;
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

struct Authority {
  std::string_view host;
  std::uint64_t port = 0;  // 0: neither said nor implied
};

// "host", "host:port", "[v6]:port", with the scheme's port where none is said.
Authority authority_of(const Request& r) {
  std::string_view text = r.exchange->host;
  Authority out{text, r.scheme() == "https" ? 443U : r.scheme() == "http" ? 80U : 0U};
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket) &&
      (bracket != std::string_view::npos || text.find(':') == colon)) {
    std::uint16_t port = 0;
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data() + colon + 1, end, port).ptr == end && port != 0) {
      out = {text.substr(0, colon), port};
    }
  }
  if (out.host.starts_with('[') && out.host.ends_with(']'))
    out.host = out.host.substr(1, out.host.size() - 2);
  return out;
}

std::string_view protocol_version(const Request& r) {
  switch (r.exchange->protocol) {
    case http::Protocol::http10:
      return "1.0";
    case http::Protocol::http11:
      return "1.1";
    case http::Protocol::http2:
      return "2";
    case http::Protocol::unknown:
      break;
  }
  return {};
}

// url.full, which is of clients alone. Its query has been redacted where it was read.
std::string full_url(const Request& r) {
  std::string url;
  if (r.exchange->host.empty() || r.scheme().empty()) return url;
  url.append(r.scheme()).append("://").append(r.exchange->host).append(r.exchange->path);
  if (!r.exchange->query.empty()) url.append("?").append(r.exchange->query);
  return url;
}

// Collects attributes; what is not known is none.
struct Attributes {
  std::vector<Attribute>& list;
  void text(std::string_view key, std::string_view value) const {
    if (!value.empty()) list.push_back({key, value});
  }
  void number(std::string_view key, std::uint64_t value) const {
    if (value != 0) list.push_back({key, value});
  }
};

// What the conventions have in another shape than the field table.
constexpr std::string_view kReshaped[] = {
    "time",       "role",     "protocol",  "method", "scheme", "host",        "path",        "query",
    "latency_ms", "trace_id", "parent_id", "error",  "type",   "grpc_method", "grpc_status", "status"};

void add_http(const Request& r, SpanDraft& span) {
  const Attributes out{span.attributes};
  const std::string& method = r.exchange->method;
  if (!method.empty()) {
    out.text("http.request.method", known_method(method));
    if (known_method(method) == kOther) out.text("http.request.method_original", method);
  }
  out.number("http.response.status_code", r.exchange->status);
  out.text("url.scheme", r.scheme());
  if (r.role == Role::server) {
    out.text("url.path", r.exchange->path);
    out.text("url.query", r.exchange->query);
  } else {
    out.text("url.full", span.keep(full_url(r)));
    if (span.url_template) out.text("url.template", r.path_template);
  }
}

void add_rpc(const Request& r, SpanDraft& span) {
  const Attributes out{span.attributes};
  out.text("rpc.system.name", "grpc");
  out.text("rpc.method", rpc_method(r));
  if (r.exchange->grpc_status)
    out.text("rpc.response.status_code", http::grpc_status_name(*r.exchange->grpc_status));
}

void add_common(const Row& row, const Request& r, SpanDraft& span) {
  const Attributes out{span.attributes};
  const Authority server = authority_of(r);
  out.text("server.address", server.host);
  if (!server.host.empty()) out.number("server.port", server.port);
  if (r.role == Role::server && r.remote.family() != IpAddress::Family::none) {
    span.attributes.push_back({"client.address", r.remote});
    out.number("client.port", r.remote_port);
  }
  out.text("network.protocol.name", "http");
  out.text("network.protocol.version", protocol_version(r));
  otlp::add_fields(row, kReshaped, span);
}

bool fill_span(const Row& row, SpanDraft& span) {
  if (row.event<Request>() == nullptr) return false;
  const Request& r = *row.event<Request>();
  if (r.role == Role::unknown) return false;
  set_owner(span, r.origin);
  span.kind = r.role == Role::server ? SpanKind::server : SpanKind::client;
  // Both ends by one anchor of the clock: the record's, and the measured length back from it.
  span.end = r.origin.time;
  span.start = {span.end.ns - std::max<std::int64_t>(r.latency_ns(), 0)};
  span.trace_id = r.exchange->trace_id;
  span.parent_id = r.exchange->parent_id;
  span.flags = r.exchange->trace_flags;
  const std::string_view method = known_method(r.exchange->method);
  if (is_rpc(r)) {
    span.name = rpc_method(r).empty() ? std::string_view("grpc") : rpc_method(r);
    add_rpc(r, span);
  } else {
    span.name = method == kOther ? std::string_view("HTTP") : method;
    if (span.url_template && r.role == Role::client && !r.path_template.empty())
      span.name = span.keep(std::string(span.name).append(" ").append(r.path_template));
    add_http(r, span);
  }
  add_common(row, r, span);
  std::array<char, 8> buffer;
  if (const std::string_view error = error_type(r, buffer); !error.empty()) {
    span.failed = true;
    span.attributes.push_back({"error.type", span.keep(std::string(error))});
  } else if (r.exchange->failure != http::Failure::none) {
    // plumb did not see the end: no error of the request.
    span.attributes.push_back(
        {"plumb.error", Name{kFailures[static_cast<std::size_t>(r.exchange->failure) - 1]}});
  }
  return true;
}

enum : std::size_t { kServerRequest, kClientRequest, kServerCall, kClientCall };
constexpr otlp::Instrument kInstruments[] = {
    {"http.server.request.duration", "s", "Duration of HTTP server requests.", otlp::kRequestSeconds},
    {"http.client.request.duration", "s", "Duration of HTTP client requests.", otlp::kRequestSeconds},
    {"rpc.server.call.duration", "s", "Duration of incoming RPCs.", otlp::kRequestSeconds},
    {"rpc.client.call.duration", "s", "Duration of outgoing RPCs.", otlp::kRequestSeconds},
};

void measure(const Row& row, otlp::Measures& measures) {
  if (row.event<Request>() == nullptr) return;
  const Request& r = *row.event<Request>();
  if (r.role == Role::unknown || r.latency_ns() < 0) return;
  if (r.exchange->failure != http::Failure::none && !broke(r)) return;  // its end was not seen: no duration
  otlp::AttributeSet out;
  const bool server = r.role == Role::server;
  if (is_rpc(r)) {
    out.text("rpc.system.name", "grpc");
    out.text("rpc.method", rpc_method(r));
    if (r.exchange->grpc_status)
      out.text("rpc.response.status_code", http::grpc_status_name(*r.exchange->grpc_status));
  } else {
    out.text("http.request.method", known_method(r.exchange->method));
    out.number("http.response.status_code", r.exchange->status);
    out.text("url.scheme", r.scheme());
    out.text("network.protocol.version", protocol_version(r));
  }
  // Of a server the Host header is the client's to choose, so that it would be without bound.
  if (const Authority to = authority_of(r); !server && !to.host.empty()) {
    out.text("server.address", to.host);
    out.number("server.port", to.port);
  }
  std::array<char, 8> buffer;
  out.text("error.type", error_type(r, buffer));
  const std::size_t instrument =
      is_rpc(r) ? (server ? kServerCall : kClientCall) : (server ? kServerRequest : kClientRequest);
  measures.add(instrument, static_cast<double>(r.latency_ns()) / 1e9, out);
}

}  // namespace

const otlp::Telemetry kHttptraceTelemetry{.span = fill_span, .instruments = kInstruments, .measure = measure};

}  // namespace plumb
