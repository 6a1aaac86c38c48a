// --fail-if of flame: the figures of one capture.
#include "profile/threshold.h"

#include <doctest/doctest.h>

#include "sample_profile.h"

using namespace plumb;
using namespace plumb::profile;

namespace {

// 1,000 samples: 990 rooted, 4 truncated, 2 more lost; 30 pass through a nameless address of libx.so.
Profile sample_profile() {
  Profile p;
  add_stack(p, {"main", "work(int)", "crc32"}, 700);
  add_stack(p, {"main", "work(int)"}, 270);
  const MappingId libx = p.mapping({.path = "/usr/lib/libx.so"});
  const FrameId nameless[] = {p.frame({.mapping = libx, .address = 0x1234})};
  p.add({.frames = nameless, .count = 30, .value = 30});
  p.quality() = {.lost = 2, .rooted = 990, .truncated = 4};
  return p;
}

std::string judged(std::string_view text, const Profile& profile = sample_profile()) {
  const auto t = ProfileThreshold::compile(text);
  if (!t.ok()) return "error: " + t.error().what;
  const Verdict v = t->evaluate(profile);
  return (v.holds ? "holds: " : "no: ") + v.text();
}

}  // namespace

TEST_CASE("flame's --fail-if: figures of the capture") {
  CHECK(judged("rooted < 95%") == "no: rooted = 99.0 %");
  CHECK(judged("rooted < 99.5%") == "holds: rooted = 99.0 %");
  CHECK(judged("99.5% > rooted") == "holds: rooted = 99.0 %");
  CHECK(judged("rooted != 990") == "no: rooted = 990");
  CHECK(judged("truncated > 3 && truncated > 1%") == "no: truncated = 4, truncated = 0.4 %");
  CHECK(judged("lost > 0 || count < 100") == "holds: lost = 2, count = 1000");
  CHECK(judged("unsymbolised > 2%") == "holds: unsymbolised = 3.0 %");
  CHECK(judged("unsymbolised(\"libx.so\") > 2%") == "holds: unsymbolised(\"libx.so\") = 3.0 %");
  CHECK(judged("unsymbolised('/usr/lib/libx.so') == 30") == "holds: unsymbolised('/usr/lib/libx.so') = 30");
  CHECK(judged("unsymbolised(\"liby.so\") > 0") == "no: unsymbolised(\"liby.so\") = 0");
  CHECK(judged("!(self(\"crc32\") <= 50%)") == "holds: self(\"crc32\") = 70.0 %");
  CHECK(judged("self(\"work\") > 27%") == "no: self(\"work\") = 27.0 %");
  CHECK(judged("total(\"work(int)\") > 97%") == "no: total(\"work(int)\") = 97.0 %");
}

TEST_CASE("flame's --fail-if: what is shown tells on which side of the limit it is") {
  Profile p;
  add_stack(p, {"main"}, 100'000);
  p.quality().rooted = 94'999;
  CHECK(judged("rooted < 95%", p) == "holds: rooted = 94.999 %");
}

TEST_CASE("flame's --fail-if: the unknown satisfies no comparison") {
  Profile p;
  CHECK(judged("rooted < 95%", p) == "no: rooted = unknown");
  CHECK(judged("rooted >= 95%", p) == "no: rooted = unknown");
  CHECK(judged("self(\"f\") < 1%", p) == "no: self(\"f\") = unknown");
  CHECK(judged("count == 0", p) == "holds: count = 0");
  p.quality().rooted = 0;  // of no samples
  CHECK(judged("rooted < 95%", p) == "no: rooted = unknown");
}

TEST_CASE("flame's --fail-if: what makes no sense is an error") {
  for (const char* wrong : {"rooted", "root < 5%", "rooted < 0.5", "rooted < 5ms", "count < 5%", "self > 5%",
                            "self(\"f\") > 5", "self(f) > 5%", "rooted(\"f\") > 5%", "5 < 6",
                            "rooted =~ \"x\"", "rooted < lost", "rooted in (1, 2)", ""}) {
    CHECK_MESSAGE(judged(wrong).starts_with("error"), wrong);
  }
}
