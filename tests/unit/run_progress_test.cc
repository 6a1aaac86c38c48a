#include "run/progress.h"

#include "run/tally.h"
#include "sample_event.h"

#include <doctest/doctest.h>

using namespace plumb;

namespace {

constexpr std::size_t kWide = 200;
constexpr Duration seconds(double s) {
  return {static_cast<std::int64_t>(s * 1e9)};
}

}  // namespace

TEST_CASE("progress: elapsed, left, and what was seen") {
  ProgressFacts f{.tool = "drops", .elapsed = seconds(7.9), .seen = 1234};
  CHECK(progress_text(f, kWide) == "drops 0:07, 1234 events seen (Ctrl-C ends it)");
  f.duration = seconds(60);
  CHECK(progress_text(f, kWide) == "drops 0:07 of 1:00, 0:53 left, 1234 events seen (Ctrl-C ends it)");
  f.count = 50;
  f.kept = 3;
  CHECK(progress_text(f, kWide) == "drops 0:07 of 1:00, 0:53 left, 3 of 50 events (Ctrl-C ends it)");
}

TEST_CASE("progress: what is left is never negative, a broken second counts as begun") {
  ProgressFacts f{.tool = "t", .elapsed = seconds(2.01), .duration = seconds(1.5), .seen = 1};
  CHECK(progress_text(f, kWide) == "t 0:02 of 0:02, 0:00 left, 1 event seen (Ctrl-C ends it)");
  f.duration = seconds(36'000);
  CHECK(progress_text(f, kWide) == "t 0:02 of 10:00:00, 9:59:58 left, 1 event seen (Ctrl-C ends it)");
}

TEST_CASE("progress: cut to the terminal") {
  const ProgressFacts f{.tool = "tcpconnect", .elapsed = seconds(3), .duration = seconds(10)};
  CHECK(progress_text(f, 24) == "tcpconnect 0:03 of 0:10,");
  CHECK(progress_text(f, 0).empty());
}

TEST_CASE("silence, and what it was") {
  CHECK(silence_text(seconds(5.9), 0) == "no event for 5 s");
  CHECK(silence_text(seconds(12), 214) == "no event for 12 s; 214 filtered out");
  CHECK(elapsed_text(seconds(5.02)) == "5 s");
  CHECK(elapsed_text(seconds(0.25)) == "0.2 s");
  CHECK(elapsed_text(seconds(61)) == "61 s");
  CHECK(elapsed_text(seconds(125)) == "2m05s");
}

TEST_CASE("a tally counts by type, and failures") {
  Tally tally(sample::kSchema);
  CHECK(tally.text().empty());
  const sample::Event ok{.outcome = "done"}, bad{.type = sample::kFinish, .outcome = "refused"};
  tally.keep(Row(sample::kSchema, ok));
  tally.keep(Row(sample::kSchema, ok));
  tally.keep(Row(sample::kSchema, bad));
  tally.leave_out();
  CHECK(tally.text() == "2 begins, 1 finish, 1 failed");
  CHECK(tally.kept() == 3);
  CHECK(tally.filtered() == 1);
}
