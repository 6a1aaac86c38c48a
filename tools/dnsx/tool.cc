// dnsx: every DNS lookup, whose, how long, how it ended.
#include "dnsx/event.h"
#include "dnsx/options.h"
#include "dnsx/probe.h"
#include "dnsx/telemetry.h"

namespace plumb {
namespace {

class Dnsx final : public Tool {
 public:
  OptionTable options() override { return dnsx_option_table(options_); }
  const Schema& schema() const override { return kQuerySchema; }

  std::vector<std::string> columns() const override {
    std::vector<std::string> names{"time", "pid", "comm"};
    if (options_.server && options_.client) names.emplace_back("role");
    if (options_.server) names.emplace_back("client");
    names.insert(names.end(), {"name", "qtype", "outcome", "rcode", "latency_ms", "answers"});
    return names;
  }

  std::vector<Hook> hooks() const override { return DnsProbe::hooks(wants()); }

  Result<void> attach(Session& session) override {
    return lookups_.start(session, wants(), [&session](const dns::Lookup& lookup) {
      Query query(lookup, session.clock);
      enrich(query, session.processes);
      return session.out.push(Row(kQuerySchema, query));
    });
  }
  std::string_view unpaired() const override { return "outcome == timeout"; }
  std::vector<AnyProbe*> probes() override { return {&lookups_}; }
  bool opens_in_other_roots() const override { return true; }  // for search lists

  Result<void> finish() override {
    lookups_.finish();
    return {};
  }

 private:
  DnsProbe::Wants wants() const {
    DnsProbe::Wants wants;
    wants.client = options_.client;
    wants.server = options_.server;
    wants.pickup = options_.client;
    wants.timeout_ns = options_.timeout_ns;
    if (!options_.ports.empty()) wants.ports = options_.ports;
    return wants;
  }

  DnsxOptions options_;
  DnsProbe lookups_;
};

constexpr Example kExamples[] = {
    {"plumb dnsx", "every lookup of the host, as it ends"},
    {"plumb dnsx --where 'rcode != \"NOERROR\" || outcome == timeout'", "only what went wrong"},
    {"plumb dnsx -p 4711 --wide", "what process 4711 looks up, with servers, TTLs, attempts and flags"},
    {"plumb dnsx --top --by name", "the names looked up most, live"},
    {"plumb dnsx --role server", "what the servers on this host answer, and how fast"},
    {"plumb dnsx --json -d 60s | jq -r 'select(.latency_ms > 100) | .name'", "slow names, for a script"},
    {"plumb dnsx -- curl -s https://example.org", "the lookups of one command and its children"},
};

}  // namespace

extern const ToolInfo kDnsx;
const ToolInfo kDnsx{
    .name = "dnsx",
    .summary = "every DNS lookup: whose, how long, how it ended",
    .description =
        "Shows every DNS lookup of the host over UDP and TCP, in all network namespaces, when it ends: answered, or "
        "out of time.",
    .schema = &kQuerySchema,
    .summary_schema = nullptr,
    .examples = kExamples,
    .telemetry = &kDnsxTelemetry,
    .make = []() -> std::unique_ptr<Tool> { return std::make_unique<Dnsx>(); },
};

}  // namespace plumb
