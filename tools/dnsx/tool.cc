// dnsx: every DNS lookup, whose, how long, how it ended.
#include <algorithm>

#include "base/say.h"
#include "dnsx/event.h"
#include "dnsx/libc_probe.h"
#include "dnsx/options.h"
#include "dnsx/probe.h"
#include "dnsx/search_misses.h"
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
    if (options_.libc) names.emplace_back("type");
    names.insert(names.end(), {"name", "qtype", "outcome", "rcode", "latency_ms"});
    if (options_.libc) names.insert(names.end(), {"caller_comm", "call_ms", "cached", "error"});
    names.emplace_back("answers");
    return names;
  }
  TypeMask judged_types() const override {
    return options_.libc && !common().summary ? kAllTypes : kQueryRows;
  }
  // A call and the lookups that it led to are the same wish.
  TypeMask counted_types() const override { return kQueryRows; }

  std::vector<Hook> hooks() const override {
    std::vector<Hook> hooks = DnsProbe::hooks(wants());
    for (Hook& hook : LibcProbe::hooks(options_.libc)) hooks.push_back(std::move(hook));
    return hooks;
  }

  Result<void> attach(Session& session) override {
    session_ = &session;
    const auto on_lookup = [this](const dns::Lookup& lookup) { return push(Query(lookup, session_->clock)); };
    if (!options_.libc) return lookups_.start(session, wants(), on_lookup);
    if (auto r = libc_.start(session, calls_); !r) return r;
    return lookups_.start(session, wants(), libc_.probe(), calls_, on_lookup);
  }
  Result<void> confined() override {
    if (!options_.libc) return {};
    if (auto r = libc_.attach_running(); !r) return r;
    if (common().verbose) {
      for (const std::string& line : libc_.report()) say("libc: {}", line);
    }
    return {};
  }
  std::vector<AnyProbe*> probes() override {
    if (options_.libc) return {&lookups_, &libc_.probe()};
    return {&lookups_};
  }
  std::string_view unpaired() const override { return "outcome == timeout"; }
  bool opens_in_other_roots() const override { return true; }  // for search lists

  Result<void> drained() override {
    while (const dns::Call* call = calls_.next(lookups_.seen_until())) {
      if (!push(Query(*call, session_->clock))) break;
    }
    return {};
  }
  Result<void> finish() override {
    lookups_.finish();
    while (const dns::Call* call = calls_.rest()) push(Query(*call, session_->clock));
    return {};
  }

  std::unique_ptr<Summary> count_along(std::unique_ptr<Summary> summary, const Schema& lines) override {
    return std::make_unique<SearchMisses>(std::move(summary), lines, misses_);
  }
  void remark_on_counts() override {
    if (misses_.misses == 0) return;
    say("plumb: {} of {} lookup{} {}", misses_.misses, misses_.lookups, misses_.lookups == 1 ? "" : "s",
        misses_.misses == 1 ? "was a search-list miss" : "were search-list misses");
  }
  void remark() override {
    if (calls_.lost() > 0) say("plumb: {} calls were more than are followed at one time", calls_.lost());
  }

 private:
  bool push(Query&& query) {
    enrich(query, session_->processes);
    return session_->out.push(Row(kQuerySchema, query));
  }

  DnsProbe::Wants wants() const {
    DnsProbe::Wants wants;
    wants.client = options_.client;
    wants.server = options_.server;
    wants.pickup = options_.client;
    wants.encrypted = options_.client;
    wants.waiting = options_.client;
    wants.timeout_ns = options_.timeout_ns;
    if (!options_.ports.empty()) wants.ports = options_.ports;
    return wants;
  }

  DnsxOptions options_;
  Session* session_ = nullptr;
  dns::Calls calls_;
  LibcProbe libc_;
  DnsProbe lookups_;
  SearchMissCounts misses_;
};

constexpr Example kExamples[] = {
    {"plumb dnsx", "every lookup of the host, as it ends"},
    {"plumb dnsx --where 'rcode != \"NOERROR\" || outcome == timeout'", "only what went wrong"},
    {"plumb dnsx -p 4711 --wide", "what process 4711 looks up, with servers, TTLs, attempts and flags"},
    {"plumb dnsx --top --by name", "the names looked up most, live"},
    {"plumb dnsx --role server", "what the servers on this host answer, and how fast"},
    {"plumb dnsx --libc -- curl -s https://example.org",
     "what a program asks its C library for, and what becomes of it"},
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
