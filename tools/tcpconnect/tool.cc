// tcpconnect: every TCP connection attempt of the host, who made it, how it ended and how long it took.
#include <fmt/format.h>

#include <algorithm>

#include "base/say.h"
#include "dnsx/names_probe.h"
#include "run/push_down.h"
#include "tcpconnect/event.h"
#include "tcpconnect/options.h"
#include "tcpconnect/probe.h"
#include "tcpconnect/sums.h"
#include "tcpconnect/telemetry.h"

namespace plumb {
namespace {

class Tcpconnect final : public Tool {
 public:
  OptionTable options() override { return tcpconnect_option_table(options_); }

  const Schema& schema() const override { return common().summary ? kConnectSummarySchema : kConnectSchema; }

  std::vector<std::string> columns() const override {
    if (common().summary) return {};
    std::vector<std::string> names{"time", "pid", "comm"};
    if (options_.server || options_.life) names.insert(names.begin() + 1, "type");
    if (options_.server && options_.client) names.emplace_back("role");
    names.insert(names.end(), {"local_port", "remote_addr", "remote_port", "outcome", "latency_ms"});
    if (options_.server) names.insert(std::find(names.begin(), names.end(), "local_port"), "local_addr");
    if (options_.life) names.insert(names.end(), {"duration_ms", "tx_bytes", "rx_bytes", "closed_by"});
    return names;
  }

  std::vector<std::string> group_by() const override {
    if (!options_.server) return {};
    // A client's port is another one for each connection.
    if (!options_.client) return {"pid", "comm", "local_port"};
    return {"pid", "comm", "role", "remote_addr", "port"};
  }

  // A connection's end is not one more.
  TypeMask counted_types() const override { return ~(TypeMask{1} << TCPCONNECT_CLOSE); }

  std::vector<Hook> hooks() const override {
    std::vector<Hook> all = ConnectProbe::hooks(wants());
    for (Hook& hook : NamesProbe::hooks(names_wanted())) all.push_back(std::move(hook));
    return all;
  }

  // The summary's bytes come with the closes, which were not asked for without --life.
  TypeMask judged_types() const override {
    return options_.life ? kAllTypes : ~(TypeMask{1} << TCPCONNECT_CLOSE);
  }

  std::unique_ptr<Summary> make_summary() override {
    auto sums = std::make_unique<ConnectSums>();
    sums_ = sums.get();
    return sums;
  }

  std::unique_ptr<Summary> make_summary_of_saved(const Schema& lines) const override {
    return std::make_unique<SavedConnectSums>(lines);
  }

  // The end of a connection that is older than the trace.
  std::string_view unpaired() const override { return "type == close && role == null"; }

  Result<void> attach(Session& session) override {
    ConnectProbe::Wants wants = this->wants();
    push_down(session, wants);
    // First, so that the name of the first connection is known.
    if (names_wanted()) {
      if (auto r = start_names(session); !r) return r;
    }
    return connects_.start(session, wants, [&](Connect& e) {
      if (names_ && e.began()) e.remote_name = names_->name_of(visit(e), {e.wire->time_ns});
      return session.out.push(Row(kConnectSchema, e));
    });
  }
  std::vector<AnyProbe*> probes() override {
    std::vector<AnyProbe*> all;
    if (names_) all.push_back(&*names_);
    all.push_back(&connects_.probe());
    return all;
  }
  void remark() override {
    if (names_ && names_->unseen() != 0)
      say("plumb: {} DNS packets were not seen: remote_name may be missing where it could be known",
          names_->unseen());
  }

  Result<void> finish() override {
    if (!common().kernel_summary()) return {};
    connects_.each_total([this](const tcpconnect_summary_key& key, const tcpconnect_summary& value) {
      sums_->add(key, value);
    });
    return {};
  }

 private:
  Result<void> check() override {
    if (options_.only_v4 && options_.only_v6) return Error{"--ipv4 and --ipv6 exclude each other"};
    // What both sides' columns show is chosen here; which lines there are, is not.
    if (common().from && options_.role_given && !(options_.client && options_.server)) {
      const std::string_view role = options_.client ? "client" : "server";
      return Error{"--role has no effect on saved lines", "nothing is traced with --from",
                   fmt::format("say --where 'role == {}'", role)};
    }
    return {};
  }

  // Whether anything of this run reads remote_name; else DNS is left alone, which costs each packet a little.
  bool names_wanted() const {
    const CommonOptions& o = common();
    if (!options_.names || o.kernel_summary()) return false;
    const auto asks = [](const std::string& text) { return text.find("remote_name") != std::string::npos; };
    const auto any = [&](const std::vector<std::string>& texts) { return std::ranges::any_of(texts, asks); };
    if (any(o.columns) || any(o.where) || any(o.fail_if) || any(o.by) || o.otlp) return true;
    if (o.summary || o.top || !o.columns.empty()) return false;
    return o.wide || std::ranges::any_of(output_specs(o), [](const OutputSpec& output) {
             return output.format == Format::json;
           });
  }

  // Names are an extra: where they cannot be had, the connections are told without; but what was forced is an error.
  Result<void> start_names(Session& session) {
    names_.emplace();
    auto started = names_->start(session);
    if (started) return {};
    names_.reset();
    if (!forced_among(NamesProbe::hooks(true), forced_hooks()).empty()) return started;
    if (!common().quiet)
      say("plumb: remote_name is not known: {}: {}", started.error().what, started.error().why);
    return {};
  }

  static dns::Visit visit(const Connect& e) {
    return {.netns = e.wire->netns,
            .address = e.remote,
            .pid = e.knows(KNOWN_OWNER) ? e.wire->task.pid : 0,
            .began = *e.began()};
  }

  ConnectProbe::Wants wants() const {
    return {.client = options_.client,
            .server = options_.server,
            .life = options_.life || common().summary,  // the summary's bytes come with the close
            .lines = !common().kernel_summary(),
            .summary = common().kernel_summary(),
            .failed_only = options_.failed,
            .ipv4 = !options_.only_v6,
            .ipv6 = !options_.only_v4,
            .min_latency_ns = static_cast<std::uint64_t>(options_.min_latency_ns),
            .ports = options_.ports,
            .hosts = options_.hosts};
  }

  // Conditions of --where that the kernel can decide too. Ports only of clients: a server's filter is its
  // local port.
  void push_down(const Session& session, ConnectProbe::Wants& wants) const {
    for (const Condition& c : session.conditions) {
      const std::string_view key = kConnectSchema.spec(c.field).key;
      const bool taken =
          (key == "remote_port" && !options_.server && want_ports(wants.ports, numbers_wanted(c))) ||
          (key == "outcome" && want_failures(wants, c)) || (key == "latency_ms" && want_latency(wants, c));
      if (taken && common().verbose) say("--where: the kernel filters by {}", key);
    }
  }

  static bool want_ports(std::vector<PortRange>& ports, const std::vector<std::uint64_t>& wanted) {
    if (!ports.empty() || wanted.empty() || wanted.size() > FILTER_MAX_PORTS) return false;
    if (std::any_of(wanted.begin(), wanted.end(), [](std::uint64_t p) { return p > 0xffff; })) return false;
    for (const std::uint64_t p : wanted)
      ports.push_back({static_cast<std::uint16_t>(p), static_cast<std::uint16_t>(p)});
    return true;
  }

  // `outcome != established`, in any spelling that leaves established out. Their later closes say
  // established.
  static bool want_failures(ConnectProbe::Wants& wants, const Condition& c) {
    const bool negated = c.compare == query::Compare::not_equal || c.compare == query::Compare::not_in;
    if (!negated && c.compare != query::Compare::equal && c.compare != query::Compare::in) return false;
    const bool names_it = std::any_of(c.values.begin(), c.values.end(), [](const Condition::Literal& v) {
      const auto* text = std::get_if<std::string>(&v);
      return text == nullptr || *text == "established";
    });
    if (names_it != negated) return false;
    wants.failed_only = true;
    return true;
  }

  // `latency > T` or `latency >= T`: the kernel keeps what takes at least T.
  static bool want_latency(ConnectProbe::Wants& wants, const Condition& c) {
    if (c.compare != query::Compare::greater && c.compare != query::Compare::greater_equal) return false;
    const auto* ns = c.values.empty() ? nullptr : std::get_if<std::int64_t>(&c.values.front());
    if (ns == nullptr || *ns < 0) return false;
    wants.min_latency_ns = std::max(wants.min_latency_ns, static_cast<std::uint64_t>(*ns));
    return true;
  }

  TcpconnectOptions options_;
  ConnectProbe connects_;
  std::optional<NamesProbe> names_;
  ConnectSums* sums_ = nullptr;  // of the run's summary
};

// exe of other users' processes; containers of processes that have ended.
constexpr Capability kProfits[] = {Capability::sys_ptrace, Capability::dac_read_search};

constexpr Example kExamples[] = {
    {"plumb tcpconnect", "every connection attempt of the host, as it is decided"},
    {"plumb tcpconnect --failed --time utc", "only what did not work: refused, timed out, unreachable, ..."},
    {"plumb tcpconnect --role both --life -p 4711",
     "what process 4711 opens, accepts and closes, with bytes and duration"},
    {"plumb tcpconnect --port 5432 --min-latency 5ms", "slow handshakes with the databases"},
    {"plumb tcpconnect --json -d 60s | jq 'select(.outcome != \"established\") | .comm'",
     "who failed, for a script"},
    {"plumb tcpconnect --summary -d 10s",
     "who talks to whom, with latency quantiles, aggregated in the kernel"},
    {"plumb tcpconnect -- curl -s https://example.org", "the connections of one command and its children"},
};

}  // namespace

extern const ToolInfo kTcpconnect;
const ToolInfo kTcpconnect{
    .name = "tcpconnect",
    .summary = "who connects where over TCP, how it ends and how long it takes",
    .description =
        "Shows every TCP connection attempt of the host, in all network namespaces, when it is decided.",
    .schema = &kConnectSchema,
    .summary_schema = &kConnectSummarySchema,
    .examples = kExamples,
    .profits = kProfits,
    .telemetry = &kTcpconnectTelemetry,
    .make = []() -> std::unique_ptr<Tool> { return std::make_unique<Tcpconnect>(); },
};

}  // namespace plumb
