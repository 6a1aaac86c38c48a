// httptrace: every HTTP request of the host, sent or answered here, with its status and latency.
#include <cstddef>
#include <optional>
#include <span>

#include "base/say.h"
#include "httptrace/connections.h"
#include "httptrace/event.h"
#include "httptrace/options.h"
#include "httptrace/probe.h"
#include "httptrace/telemetry.h"
#include "httptrace/tls_probe.h"
#include "httptrace/unread_tls.h"

namespace plumb {
namespace {

class Httptrace final : public Tool {
 public:
  OptionTable options() override { return httptrace_option_table(options_); }
  const Schema& schema() const override { return kRequestSchema; }

  std::vector<std::string> columns() const override {
    return {"time",           "pid",  "comm", "role", "method", "status", "latency_ms",
            "response_bytes", "host", "path", "error"};
  }

  std::vector<Hook> hooks() const override {
    std::vector<Hook> hooks = HttpProbe::hooks();
    for (Hook& hook : TlsProbe::hooks(true)) hooks.push_back(std::move(hook));
    return hooks;
  }

  Result<void> attach(Session& session) override {
    session_ = &session;
    connections_.emplace(options_.keep, session.clock, [this](Request& r) { return request(r); });
    if (auto r = tls_.start(session, [this](std::span<const std::byte> r) { return connections_->take(r); });
        !r)
      return r;
    return probe_.start(session,
                        {.client = options_.client,
                         .server = options_.server,
                         .snaplen = options_.snaplen,
                         .ports = options_.ports,
                         .hosts = options_.hosts},
                        tls_.search(), [this](std::span<const std::byte> record) { return take(record); });
  }
  Result<void> confined() override {
    tls_.on_look([this](std::uint32_t pid, std::uint64_t since_ns, std::string_view unreadable) {
      unread_.looked(pid, since_ns, unreadable, session_->clock.now());
    });
    unread_.ask({.look = [this](std::uint32_t pid) { tls_.look_at(pid); },
                 .first_call = [this](std::uint32_t pid) { return tls_.first_call(pid); }});
    if (auto r = tls_.attach_running(); !r) return r;
    unread_.start(session_->clock.now());
    if (common().verbose) {
      for (const std::string& line : tls_.report()) say("TLS: {}", line);
    }
    return {};
  }
  std::string_view unpaired() const override { return "status == null"; }
  std::uint64_t unpaired_untold() const override {
    return connections_ ? connections_->untold().unpaired_responses : 0;
  }
  std::vector<AnyProbe*> probes() override { return {&probe_.probe(), &tls_.probe()}; }

  Result<void> drained() override {
    connections_->settle(session_->clock.now());
    unread_.settle(session_->clock.now());
    return {};
  }

  Result<void> finish() override {
    connections_->finish(session_->clock.now());
    unread_.finish();
    return {};
  }

  // Whatever HTTP there was and is in no line.
  void remark() override {
    if (!connections_) return;
    for (const std::string& line : unread_.lines()) say("plumb: {}", line);
    const http::Untold& untold = connections_->untold();
    if (untold.unpaired_responses > 0) {
      say("plumb: {} response{} whose request was not seen whole (older than the trace, or it never ended)",
          untold.unpaired_responses, untold.unpaired_responses == 1 ? "" : "s");
    }
    if (untold.stray_bytes > 0) {
      say("plumb: {} bytes on HTTP connections that are no HTTP", untold.stray_bytes);
    }
    if (untold.dropped_requests > 0) {
      say("plumb: {} requests were more than are kept of one connection", untold.dropped_requests);
    }
    if (connections_->given_up() > 0) {
      say("plumb: {} idle connections were forgotten, since more than {} were open", connections_->given_up(),
          HttpConnections::kMost);
    }
  }

 private:
  bool take(std::span<const std::byte> record) {
    if (record.size() < sizeof(httptrace_open) ||
        std::to_integer<unsigned>(record[offsetof(httptrace_header, record)]) != HTTPTRACE_TLS)
      return connections_->take(record);
    unread_.connection(*reinterpret_cast<const httptrace_open*>(record.data()));
    return true;
  }

  bool request(Request& r) {
    if (!options_.passes(r)) return true;
    if (r.task->pid != 0) set_container(r.origin, *r.task, session_->processes);
    return session_->out.push(Row(kRequestSchema, r));
  }

  HttptraceOptions options_;
  Session* session_ = nullptr;
  std::optional<HttpConnections> connections_;
  HttpProbe probe_;
  TlsProbe tls_;
  UnreadTls unread_;
};

constexpr Example kExamples[] = {
    {"plumb httptrace", "every request that is sent or answered on this host"},
    {"plumb httptrace --role server --status 5xx --time utc", "what this host's servers fail at"},
    {"plumb httptrace --port 8080 --min-latency 100ms", "slow requests to the servers on port 8080"},
    {"plumb httptrace --path '/api/*' --json | jq -r '[.method, .path, .status, .latency_ms] | @tsv'",
     "the API's requests, for a script"},
    {"plumb httptrace --top --by host,method,path_template", "which routes are slow, live"},
    {"plumb httptrace -- curl -s http://localhost/", "the requests of one command and its children"},
};

}  // namespace

extern const ToolInfo kHttptrace;
const ToolInfo kHttptrace{
    .name = "httptrace",
    .summary = "every HTTP request, who sent or answered it, its status and latency",
    .description =
        "Shows every HTTP request of the host, in all network namespaces, once its response is complete: "
        "HTTP/1.0, HTTP/1.1 and HTTP/2, gRPC, server-sent events and WebSocket among them. A request within this host "
        "is shown, and counted, for each of its sides: ROLE says which.",
    .schema = &kRequestSchema,
    .summary_schema = nullptr,
    .examples = kExamples,
    .telemetry = &kHttptraceTelemetry,
    .make = []() -> std::unique_ptr<Tool> { return std::make_unique<Httptrace>(); },
};

}  // namespace plumb
