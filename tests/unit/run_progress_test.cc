#include "run/progress.h"

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
