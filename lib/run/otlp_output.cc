#include "run/otlp_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "base/say.h"
#include "base/text.h"
#include "run/confine.h"
#include "run/otlp_profile.h"
#include "version.h"

namespace plumb {
namespace {

void say_that_it_waits(const otlp::Config& config) {
  say("plumb: waiting up to {:.3g} s for {}; Ctrl-C ends at once",
      static_cast<double>(config.timeout_ns) / 1e9, config.endpoint.text());
}

// What the items of a signal are called.
constexpr std::string_view kItems[otlp::kSignals] = {"records", "spans", "data points", "profiles"};

void print_dropped(const otlp::Tally& tally, std::string_view items, const std::string& where) {
  const auto print = [&](std::uint64_t count, const char* why) {
    if (count != 0)
      say("plumb: {} of {} {} not delivered to {}: {}", count, tally.offered, items, where, why);
  };
  print(tally.queue_full, "more came than could be sent");
  print(tally.refused, "refused");
  print(tally.undelivered, "the time at the end was up");
  if (tally.dropped() == 0 || tally.problem.empty()) return;
  say("  the last problem was: {}", tally.problem);
  if (!tally.hint.empty()) say("  {}", tally.hint);
}

}  // namespace

namespace {

using otlp::Signal;

bool set(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr && *value != '\0';
}

// Rows that are aggregates, or that were read back, are neither spans nor measured.
bool fits(const ToolInfo& info, const CommonOptions& options, Signal signal) {
  if (signal == Signal::logs) return true;
  if (signal == Signal::profiles) return wants_stacks(options) && !options.from;
  if (info.telemetry == nullptr || options.summary || options.from) return false;
  if (signal == Signal::metrics) return info.telemetry->measure != nullptr;
  const std::string_view name = info.telemetry->spans_name;
  return info.telemetry->span != nullptr &&
         (name.empty() || std::ranges::find(options.otlp_spans, name) != options.otlp_spans.end());
}

// Names of --otlp-spans that are none of the tool's.
Result<void> check_spans(const ToolInfo& info, const CommonOptions& options) {
  const std::string_view own = info.telemetry == nullptr ? std::string_view{} : info.telemetry->spans_name;
  for (const std::string& name : options.otlp_spans) {
    if (name == own) continue;
    return Error{fmt::format("{} makes no spans '{}' on request", info.name, name),
                 own.empty() ? std::string{} : fmt::format("its own are --otlp-spans {}", own)};
  }
  return {};
}

// With endpoints for some signals and none for all, those are what is wanted.
bool has_endpoint(const CommonOptions& options, Signal signal) {
  constexpr std::string_view kEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
  if (!options.otlp->empty() || set(std::string(kEndpoint))) return true;
  const auto own = [&](Signal s) { return set(otlp::per_signal_name(kEndpoint, s)); };
  return own(signal) || !(own(Signal::logs) || own(Signal::traces) || own(Signal::metrics));
}

Result<std::vector<Signal>> chosen_signals(const ToolInfo& info, const CommonOptions& options) {
  std::vector<Signal> signals;
  for (std::size_t i = 0; i < otlp::kSignals; ++i) {
    const auto signal = static_cast<Signal>(i);
    const auto named = [&](const std::string& name) { return name == otlp::name_of(signal); };
    const bool asked =
        signal == Signal::profiles ? options.otlp_profiles : std::ranges::any_of(options.otlp_signals, named);
    if (asked && !fits(info, options, signal)) {
      const bool on_request = signal == Signal::traces && info.telemetry != nullptr && !options.summary &&
                              !options.from && !info.telemetry->spans_name.empty();
      return Error{fmt::format("{} gives no {}{}", info.name, otlp::name_of(signal),
                               options.summary ? " with --summary" : ""),
                   {},
                   on_request ? fmt::format("--otlp-spans {} makes spans", info.telemetry->spans_name)
                              : std::string{}};
    }
    // A line is a span or a log record, not both, unless it is asked for.
    const bool usual = signal != Signal::profiles && fits(info, options, signal) &&
                       has_endpoint(options, signal) &&
                       (signal != Signal::logs || !fits(info, options, Signal::traces));
    if ((options.otlp_signals.empty() && usual) || asked) signals.push_back(signal);
  }
  return signals;
}

void warn(const std::vector<std::string>& warnings, std::set<std::string>& said) {
  for (const std::string& warning : warnings) {
    if (!said.insert(warning).second) continue;
    std::string text = "plumb: ";
    append_printable(text, warning);
    say("{}", text);
  }
}

}  // namespace

Result<std::vector<otlp::Config>> push_configs(const ToolInfo& info, const CommonOptions& options) {
  std::vector<otlp::Config> configs;
  for (const auto& [option, given] : {std::pair{"--otlp-signals", !options.otlp_signals.empty()},
                                      {"--otlp-spans", !options.otlp_spans.empty()},
                                      {"--otlp-url-template", options.otlp_url_template},
                                      {"--otlp-profiles", options.otlp_profiles},
                                      {"--otlp-dry-run", options.otlp_dry_run}}) {
    if (given && !options.otlp) return Error{std::string(option) + " has no effect without --otlp"};
  }
  if (!options.otlp) return configs;
  if (auto r = check_spans(info, options); !r) return std::move(r).error();
  auto signals = chosen_signals(info, options);
  if (!signals) return std::move(signals).error();
  if (options.otlp_url_template &&
      (info.name != "httptrace" || std::ranges::find(*signals, Signal::traces) == signals->end()))
    return Error{"--otlp-url-template has no effect here", "only spans of HTTP requests have a template",
                 "plumb httptrace --otlp --otlp-url-template"};
  std::set<std::string> said;
  for (const Signal signal : *signals) {
    auto config = otlp::read_config(
        *options.otlp, [](const char* name) { return std::getenv(name); }, signal);
    if (!config) return std::move(config).error();
    warn(config->warnings, said);
    if (config->disabled) {
      say("plumb: --otlp is off, because OTEL_SDK_DISABLED is true");
      return std::vector<otlp::Config>{};
    }
    config->dry_run = options.otlp_dry_run;
    config->url_template = options.otlp_url_template;
    if (!config->none) configs.push_back(*std::move(config));
  }
  return configs;
}

Result<void> open_pushes(const std::vector<otlp::Config>& configs, const ToolInfo& info, const Schema& rows,
                         std::vector<otlp::Push>& pushes, std::vector<std::unique_ptr<Sink>>& sinks) {
  for (const otlp::Config& config : configs) {
    auto push = otlp::Push::open(config, kVersion);
    if (!push) return std::move(push).error();
    pushes.push_back(*std::move(push));
    auto sink = pushes.back().make_sink(rows, std::string(info.name), info.telemetry, pushes);
    if (sink) sinks.push_back(std::move(sink));  // profiles are no rows
  }
  return {};
}

bool push_spans(const std::vector<otlp::Push>& pushes) {
  return std::ranges::any_of(pushes,
                             [](const otlp::Push& push) { return push.config().signal == Signal::traces; });
}

Result<void> start_pushes(std::vector<otlp::Push>& pushes) {
  for (otlp::Push& push : pushes) {
    if (auto r = push.start(give_up_capabilities); !r) return r;
  }
  return {};
}

void push_profile(std::vector<otlp::Push>& pushes, const profile::Profile& stacks) {
  const auto wants = [](const otlp::Push& push) { return push.config().signal == Signal::profiles; };
  const auto push = std::ranges::find_if(pushes, wants);
  if (push == pushes.end() || stacks.empty()) return;
  const OtlpProfile profile(stacks);
  push->offer([&](otlp::MessageWriter& out) { profile.describe_profile(out); },
              [&](otlp::MessageWriter& out) { profile.describe_dictionary(out); });
}

void finish_pushes(std::vector<otlp::Push>& pushes, bool stats) {
  for (otlp::Push& push : pushes) push.close();
  for (otlp::Push& push : pushes) {
    push.finish(say_that_it_waits);
    const otlp::Tally tally = push.tally();
    const std::string where = push.config().endpoint.text();
    const std::string_view items = kItems[static_cast<std::size_t>(push.config().signal)];
    print_dropped(tally, items, where);
    if (tally.not_sampled != 0) {
      say("plumb: {} requests are no spans, since their callers' traces are not sampled", tally.not_sampled);
    }
    if (!stats) continue;
    say("{}: {} {}, {} delivered, {} dropped; {} requests, {} of them retries", where, tally.offered, items,
        tally.delivered, tally.dropped(), tally.requests, tally.retries);
  }
}

}  // namespace plumb
