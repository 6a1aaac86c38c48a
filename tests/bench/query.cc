// What --where costs an event: a compiled three-term expression beside the same check written by hand in C++,
// over the same rows. Rounds are interleaved and the best of each counts, since what disturbs a round only
// ever makes it longer. Fails when the promise of 10^7 evaluations a second is broken, or when evaluation
// allocates.
//
//   bench_query [EVENTS] [ROUNDS]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <new>
#include <random>
#include <vector>

#include "query/predicate.h"
#include "query/threshold.h"
#include "sample_event.h"

namespace {
std::uint64_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

using namespace plumb;
using sample::Event;

namespace {

constexpr double kPromised = 1e7;
constexpr std::size_t kEvents = 4096;

std::vector<Event> make_events() {
  std::mt19937_64 random(1);
  std::vector<Event> events(kEvents);
  for (Event& e : events) {
    const std::uint8_t bytes[4] = {static_cast<std::uint8_t>(random() % 4 == 0 ? 192 : 10), 1, 2, 3};
    e.type = random() % 2 == 0 ? sample::kBegin : sample::kFinish;
    e.pid = random() % 100;
    e.comm = random() % 2 == 0 ? "curl" : "nginx-worker";
    e.outcome = sample::kOutcomes[random() % 3];
    e.peer = IpAddress::v4(bytes);
    if (random() % 8 != 0) e.latency = Duration{static_cast<std::int64_t>(random() % 40'000'000)};
    e.size = random() % 8192;
  }
  return events;
}

struct Timing {
  double ns = std::numeric_limits<double>::max();
  std::uint64_t kept = 0;
};

template <class Check>
void run_round(const std::vector<Event>& events, std::size_t total, const Check& check, Timing& timing) {
  std::uint64_t kept = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < total; done += events.size()) {
    for (const Event& e : events) kept += check(e) ? 1 : 0;
  }
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  const std::size_t rounds = (total + events.size() - 1) / events.size();
  timing.ns = std::min(timing.ns, spent.count() / static_cast<double>(rounds * events.size()));
  timing.kept = kept;
}

Predicate compiled(const char* text) {
  auto p = Predicate::compile(text, sample::kSchema);
  if (!p) {
    fmt::print(stderr, "{}: {}\n", text, p.error().what);
    std::exit(1);
  }
  return *std::move(p);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t total = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 4'000'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const auto events = make_events();
  const char* const text = "latency_ms > 5 && peer in 10.0.0.0/8 && outcome != done";
  const Predicate three = compiled(text);
  const Predicate pattern = compiled("comm =~ '^(curl|wget)$'");
  const IpPrefix net = *IpPrefix::parse("10.0.0.0/8");
  auto threshold = Threshold::compile("p99(latency) > 50ms || share(outcome != done) > 1%", sample::kSchema);
  if (!threshold) return 1;

  const auto by_hand = [&](const Event& e) {
    return e.latency && e.latency->ns > 5'000'000 && net.contains(e.peer) && !e.outcome.empty() &&
           e.outcome != "done";
  };
  const auto by_expression = [&](const Event& e) { return three(Row(sample::kSchema, e)); };
  const auto by_pattern = [&](const Event& e) { return pattern(Row(sample::kSchema, e)); };
  const auto observing = [&](const Event& e) {
    threshold->observe(Row(sample::kSchema, e));
    return true;
  };

  Timing hand;
  Timing expression;
  Timing regex;
  Timing observed;
  run_round(events, events.size(), by_pattern,
            regex);  // fills the caches of the pattern and of the histograms
  run_round(events, events.size(), observing, observed);
  const std::uint64_t before = allocations;
  for (int i = 0; i < rounds; ++i) {
    run_round(events, total, by_hand, hand);
    run_round(events, total, by_expression, expression);
    run_round(events, total, by_pattern, regex);
    run_round(events, total, observing, observed);
  }
  const std::uint64_t allocated = allocations - before;
  const auto line = [&](const char* name, const Timing& t) {
    fmt::print("{:<44} {:>7.2f} ns {:>8.1f} million/s   x{:.2f}\n", name, t.ns, 1e3 / t.ns, t.ns / hand.ns);
  };
  fmt::print("{}\n", text);
  line("  by hand, in C++", hand);
  line("  compiled expression", expression);
  line("comm =~ '^(curl|wget)$'", regex);
  line("--fail-if: p99(f) and share(EXPR), observe", observed);
  fmt::print("allocations while evaluating: {}\n", allocated);
  if (hand.kept != expression.kept) {
    fmt::print("FAILED: the two keep different rows: {} and {}\n", hand.kept, expression.kept);
    return 1;
  }
  return allocated == 0 && 1e9 / expression.ns >= kPromised ? 0 : 1;
}
