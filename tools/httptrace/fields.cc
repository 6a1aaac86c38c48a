// The field table of httptrace.
#include "event/ends.h"
#include "httptrace/event.h"

namespace plumb {
namespace {

using http::Failure;
using http::Protocol;
using http::Role;
using http::Stream;

constexpr std::string_view kTypes[] = {"request"};
constexpr std::string_view kRoles[] = {"client", "server"};
constexpr std::string_view kProtocols[] = {"http/1.0", "http/1.1", "h2"};
constexpr std::string_view kLibraries[] = {"openssl", "boringssl", "gnutls", "go"};
constexpr std::string_view kStreams[] = {"sse", "grpc", "websocket"};
constexpr std::string_view kErrors[] = {"reset", "closed", "timeout", "trace_ended", "lost"};
// The statuses with which OpenTelemetry's RPC conventions call a server's span failed.
constexpr std::string_view kFailedCalls[] = {"UNKNOWN",  "DEADLINE_EXCEEDED", "UNIMPLEMENTED",
                                             "INTERNAL", "UNAVAILABLE",       "DATA_LOSS"};
constexpr std::string_view kTrouble[] = {"reset", "closed", "timeout"};

std::size_t type_of(const Request&) {
  return 0;
}

// `values` in the order of an enumeration whose 0 stands for none.
template <class Enumeration>
Value named(Enumeration value, std::span<const std::string_view> values) {
  const auto i = static_cast<std::size_t>(value);
  return i == 0 || i > values.size() ? Value{None{}} : Value{Name{values[i - 1]}};
}

Value duration(std::int64_t ns) {
  return ns < 0 ? Value{None{}} : Value{Duration{ns}};
}

constexpr auto kSharedFields = shared_fields<Request, type_of, kTypes>(
    {.time = "When the response was complete, or the request failed.",
     .type = "request: one request, with its response if there was one.",
     .pid = "The process whose connection it is; null when that is not known.",
     .tid = "The thread that sent or received the request's beginning.",
     .group_by_process = false});

constexpr auto kOwnFields = std::to_array<Field<Request>>({
    {{.key = "role",
      .heading = "ROLE",
      .type = FieldType::enumeration,
      .width = 6,
      .group = true,
      .shown = true,
      .rank = 7,
      .values = kRoles,
      .help = "client: the process sent the request; server: it received it."},
     [](const Request& r) -> Value { return named(r.role, kRoles); }},
    {{.key = "protocol",
      .heading = "PROTO",
      .type = FieldType::enumeration,
      .width = 8,
      .values = kProtocols,
      .help = "The version of HTTP."},
     [](const Request& r) -> Value { return named(r.exchange->protocol, kProtocols); }},
    {{.key = "tls",
      .heading = "TLS",
      .type = FieldType::enumeration,
      .width = 9,
      .values = kLibraries,
      .help = "The library that encrypted it; null: plain text, or TLS in the kernel."},
     [](const Request& r) -> Value { return name_or_none(r.tls); }},
    {{.key = "method",
      .heading = "METHOD",
      .type = FieldType::text,
      .width = 7,
      .group = true,
      .shown = true,
      .otlp = "http.request.method",
      .help = "The request's method; null when it was sent before the trace and HPACK refers to it."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->method); }},
    {{.key = "scheme",
      .heading = "SCHEME",
      .type = FieldType::text,
      .width = 6,
      .otlp = "url.scheme",
      .help = "As the request says it; otherwise http, or https over TLS."},
     [](const Request& r) -> Value { return text_or_none(r.scheme()); }},
    {{.key = "host",
      .heading = "HOST",
      .type = FieldType::text,
      .width = 20,
      .group = true,
      .shown = true,
      .rank = 1,
      .otlp = "server.address",
      .help = "The Host header, the :authority, or the target's own."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->host); }},
    {{.key = "path",
      .heading = "PATH",
      .type = FieldType::text,
      .width = 24,
      .shown = true,
      .otlp = "url.path",
      .help = "The path, without the query."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->path); }},
    {{.key = "path_template",
      .heading = "TEMPLATE",
      .type = FieldType::text,
      .width = 24,
      .group = true,
      .otlp = "plumb.path.template",
      .help = "The path with numbers, UUIDs and hexadecimal folded to {id}, for grouping."},
     [](const Request& r) -> Value { return text_or_none(r.path_template); }},
    {{.key = "query",
      .heading = "QUERY",
      .type = FieldType::text,
      .width = 16,
      .otlp = "url.query",
      .help =
          "The query, known credentials in it replaced by REDACTED; null without one, or with --no-query."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->query); }},
    {{.key = "status",
      .heading = "STATUS",
      .type = FieldType::unsigned_integer,
      .width = 6,
      .shown = true,
      .otlp = "http.response.status_code",
      .alert_from = 500,
      .help = "The response's status; null when there was none, then `error` says why."},
     [](const Request& r) -> Value { return number_or_none(r.exchange->status); }},
    {{.key = "grpc_method",
      .heading = "GRPC",
      .type = FieldType::text,
      .width = 24,
      .otlp = "rpc.method",
      .help = "gRPC: service and method."},
     [](const Request& r) -> Value {
       const std::string_view path = r.exchange->path;
       return r.exchange->stream == Stream::grpc && path.size() > 1 ? Value{path.substr(1)} : Value{None{}};
     }},
    {{.key = "grpc_status",
      .heading = "GRPCSTATUS",
      .type = FieldType::text,
      .width = 10,
      .otlp = "rpc.response.status_code",
      .alerts = kFailedCalls,
      .help = "gRPC: the name of its status, such as OK; null when none came."},
     [](const Request& r) -> Value {
       return r.exchange->grpc_status ? name_or_none(http::grpc_status_name(*r.exchange->grpc_status))
                                      : Value{None{}};
     }},
    {{.key = "latency_ms",
      .heading = "LATENCY",
      .type = FieldType::duration,
      .width = 8,
      .shown = true,
      .help = "From the request's first byte to the response's last; without a response until it failed."},
     [](const Request& r) -> Value { return duration(r.latency_ns()); }},
    {{.key = "ttfb_ms",
      .heading = "TTFB",
      .type = FieldType::duration,
      .width = 8,
      .help = "From the request's first byte to the response's first."},
     [](const Request& r) -> Value { return duration(r.ttfb_ns()); }},
    {{.key = "request_bytes",
      .heading = "REQ",
      .type = FieldType::bytes,
      .width = 6,
      .otlp = "http.request.body.size",
      .help = "The request's body, as it was on the wire."},
     [](const Request& r) -> Value { return r.exchange->request_bytes; }},
    {{.key = "response_bytes",
      .heading = "RESP",
      .type = FieldType::bytes,
      .width = 6,
      .shown = true,
      .rank = 5,
      .otlp = "http.response.body.size",
      .help = "The response's body, as it was on the wire."},
     [](const Request& r) -> Value { return r.exchange->response_bytes; }},
    {{.key = "user_agent",
      .heading = "AGENT",
      .type = FieldType::text,
      .width = 16,
      .otlp = "user_agent.original",
      .help = "The User-Agent header."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->user_agent); }},
    {{.key = "content_type",
      .heading = "CONTENT",
      .type = FieldType::text,
      .width = 16,
      .help = "The response's Content-Type; the request's when the response has none."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->content_type); }},
    {{.key = "stream",
      .heading = "STREAM",
      .type = FieldType::enumeration,
      .width = 9,
      .values = kStreams,
      .help = "What runs over it for longer than a response takes."},
     [](const Request& r) -> Value { return named(r.exchange->stream, kStreams); }},
    {{.key = "messages",
      .heading = "MSGS",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .help = "Messages of `stream`, in both directions; null when some of their framing was not captured."},
     [](const Request& r) -> Value {
       return r.exchange->messages_known ? Value{r.exchange->messages} : Value{None{}};
     }},
    {{.key = "max_gap_ms",
      .heading = "MAXGAP",
      .type = FieldType::duration,
      .width = 8,
      .help = "The longest silence of the server within `stream`."},
     [](const Request& r) -> Value { return duration(r.exchange->max_gap_ns); }},
    {{.key = "trace_id",
      .heading = "TRACE",
      .type = FieldType::text,
      .width = 32,
      .help = "Of the traceparent header (W3C Trace Context)."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->trace_id); }},
    {{.key = "parent_id",
      .heading = "PARENT",
      .type = FieldType::text,
      .width = 16,
      .help = "The parent span's id, of the traceparent header."},
     [](const Request& r) -> Value { return text_or_none(r.exchange->parent_id); }},
    {{.key = "headers",
      .heading = "HEADERS",
      .type = FieldType::list,
      .width = 20,
      .help = "Those that --header names, of the request and then of the response, each as \"name: value\"."},
     [](const Request& r) -> Value { return r.headers.empty() ? Value{None{}} : Value{r.headers}; }},
});

constexpr auto kLocalFields = end_fields<Request>(
    kLocalEnd,
    {.rank = 8, .help = "This side's address; null when the socket behind a TLS library is not known."},
    [](const Request& r) -> Value { return address_or_none(r.local); }, {.help = "This side's port."},
    [](const Request& r) -> Value { return number_or_none(r.local_port); });
constexpr auto kRemoteFields = end_fields<Request>(
    kRemoteEnd, {.rank = 6, .help = "The other side's address."},
    [](const Request& r) -> Value { return address_or_none(r.remote); }, {.help = "The other side's port."},
    [](const Request& r) -> Value { return number_or_none(r.remote_port); });

constexpr auto kEndingFields = std::to_array<Field<Request>>({
    {{.key = "error",
      .heading = "ERROR",
      .type = FieldType::enumeration,
      .width = 11,
      .shown = true,
      .rank = 4,
      .otlp = "error.type",
      .values = kErrors,
      .alerts = kTrouble,
      .help =
          "Why there is no whole response: reset, closed or timeout by the connection or stream; trace_ended: still "
          "under way; lost: plumb did not see its end."},
     [](const Request& r) -> Value { return named(r.exchange->failure, kErrors); }},
    {{.key = "incomplete",
      .heading = "INCOMPLETE",
      .type = FieldType::boolean,
      .width = 10,
      .help =
          "Something of the headers is missing here: they were cut at --snaplen, or older than the trace."},
     [](const Request& r) -> Value { return r.exchange->incomplete; }},
});

constexpr auto kFields = joined(kSharedFields, kOwnFields, kLocalFields, kRemoteFields, kEndingFields);
static_assert(valid_fields(kFields));

std::int64_t between(BootTime from, BootTime to) {
  return from.ns == 0 || to.ns < from.ns ? -1 : static_cast<std::int64_t>(to.ns - from.ns);
}

}  // namespace

constinit const Schema kRequestSchema = Schema::of<Request, type_of>(kFields, kTypes);

std::int64_t Request::latency_ns() const {
  return between(exchange->request_begin, exchange->response_end);
}

std::int64_t Request::ttfb_ns() const {
  return between(exchange->request_begin, exchange->response_begin);
}

std::string_view Request::scheme() const {
  if (!exchange->scheme.empty()) return exchange->scheme;
  return exchange->method == "CONNECT" ? std::string_view{} : tls.empty() ? "http" : "https";
}

}  // namespace plumb
