#include "run/otlp_output.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>

#include "base/say.h"
#include "base/text.h"
#include "run/confine.h"
#include "version.h"

namespace plumb {
namespace {

void say_that_it_waits(const otlp::Config& config) {
  say("plumb: waiting up to {:.3g} s for {}; Ctrl-C ends at once",
      static_cast<double>(config.timeout_ns) / 1e9, config.endpoint.text());
}

void print_dropped(const otlp::Tally& tally, const std::string& where) {
  const auto print = [&](std::uint64_t count, const char* why) {
    if (count != 0) say("plumb: {} of {} records not delivered to {}: {}", count, tally.offered, where, why);
  };
  print(tally.queue_full, "more came than could be sent");
  print(tally.refused, "refused");
  print(tally.undelivered, "the time at the end was up");
  if (tally.dropped() != 0 && !tally.problem.empty()) say("  the last problem was: {}", tally.problem);
}

}  // namespace

Result<std::optional<otlp::Config>> push_config(const CommonOptions& options) {
  if (!options.otlp) return std::optional<otlp::Config>{};
  auto config = otlp::read_config(*options.otlp, [](const char* name) { return std::getenv(name); });
  if (!config) return std::move(config).error();
  for (const std::string& warning : config->warnings) {
    std::string text = "plumb: ";
    append_printable(text, warning);
    say("{}", text);
  }
  if (config->disabled) {
    say("plumb: --otlp is off, because OTEL_SDK_DISABLED is true");
    return std::optional<otlp::Config>{};
  }
  return std::optional(*std::move(config));
}

Result<otlp::Push> open_push(const otlp::Config& config) {
  return otlp::Push::open(config, kVersion);
}

Result<void> start_push(otlp::Push& push) {
  return push.start(give_up_capabilities);
}

void finish_push(otlp::Push& push, bool stats) {
  push.finish(say_that_it_waits);
  const otlp::Tally tally = push.tally();
  const std::string where = push.config().endpoint.text();
  print_dropped(tally, where);
  if (!stats) return;
  say("{}: {} records, {} delivered, {} dropped; {} requests, {} of them retries", where, tally.offered,
      tally.delivered, tally.dropped(), tally.requests, tally.retries);
}

}  // namespace plumb
