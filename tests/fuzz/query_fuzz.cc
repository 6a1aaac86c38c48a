// An expression is outside text: whatever it is, compiling it gives a predicate or an Error that can be
// printed, and running it on any event ends. The first byte chooses the event.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "query/predicate.h"
#include "query/threshold.h"
#include "sample_event.h"

namespace {

using plumb::sample::Event;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_printable(const plumb::Error& e) {
  for (const std::string* s : {&e.what, &e.why, &e.excerpt}) {
    for (const char c : *s) require(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  }
  require(e.excerpt.size() < 1000);
}

Event make_event(std::uint8_t choice) {
  static constexpr std::string_view kTags[] = {"red", "\xff\x1b", ""};
  Event e;
  e.type = (choice & 1U) != 0 ? plumb::sample::kFinish : plumb::sample::kBegin;
  if ((choice & 2U) != 0) return e;
  e.pid = (choice & 4U) != 0 ? std::numeric_limits<std::uint64_t>::max() : 42;
  e.comm = "curl";
  e.delta = (choice & 8U) != 0 ? std::numeric_limits<std::int64_t>::min() : -3;
  e.ratio = (choice & 16U) != 0 ? std::numeric_limits<double>::quiet_NaN() : 0.25;
  e.cached = (choice & 32U) != 0;
  e.outcome = "refused";
  const std::uint8_t address[16] = {0xfd, choice};
  e.peer = (choice & 64U) != 0 ? plumb::IpAddress::v6(address) : plumb::IpAddress::v4(address);
  e.latency = plumb::Duration{20'000'000};
  e.size = 4096;
  e.tags = plumb::TextList(kTags);
  e.path = "/etc/\xff\xfe";
  return e;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Event event = make_event(data[0]);
  const plumb::Row row(plumb::sample::kSchema, event);
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (const auto p = plumb::Predicate::compile(text, plumb::sample::kSchema); p.ok()) {
    const bool holds = (*p)(row);
    require((*p)(row) == holds);
    const auto negated = plumb::Predicate::compile("!(" + std::string(text) + ")", plumb::sample::kSchema);
    // Two levels deeper it may be refused, and so may a text that was as long as allowed.
    if (negated.ok()) require((*negated)(row) != holds);
    for (const plumb::Condition& c : p->pushdown()) {
      require(c.field < plumb::sample::kSchema.size() && !c.values.empty());
    }
  } else {
    require_printable(p.error());
  }
  if (auto t = plumb::Threshold::compile(text, plumb::sample::kSchema); t.ok()) {
    const plumb::Verdict nothing = t->evaluate(plumb::Duration{1});
    t->observe(row);
    t->observe(row);
    const plumb::Verdict some = t->evaluate(plumb::Duration{1'000'000'000});
    require(some.measured.size() == nothing.measured.size() && !some.text().empty());
  } else {
    require_printable(t.error());
  }
  return 0;
}
