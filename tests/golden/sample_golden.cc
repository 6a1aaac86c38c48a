// The made-up tool: a field of every type, at its edges.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "golden.h"
#include "sample_event.h"

using namespace plumb;
using namespace std::literals;
using sample::Event;

namespace {

constexpr std::int64_t kStart = 1'795'244'966'000'000'000;  // 2026-11-21T07:09:26Z

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

void feed(Sink& sink) {
  std::int64_t n = 0;
  const auto row = [&](Event e) {
    e.time = {kStart + n * n * 1'235'801'567};
    ++n;
    CHECK(sink.row(Row(sample::kSchema, e)).ok());
  };
  const std::string_view tags[] = {"a", "b,c", "\x1b[31m"};
  const std::string_view none[] = {""};

  row({});  // nothing is known
  row({.pid = 0,
       .comm = "zero",
       .delta = 0,
       .ratio = 0.0,
       .cached = false,
       .outcome = "done",
       .peer = ip("0.0.0.0"),
       .latency = Duration{0},
       .tags = TextList{},
       .path = ""});
  row({.type = sample::kFinish,
       .pid = 4242,
       .comm = "nginx",
       .delta = -1,
       .ratio = 0.5,
       .cached = true,
       .outcome = "refused",
       .peer = ip("192.0.2.7"),
       .latency = Duration{83'412},
       .size = 1229,
       .tags = TextList(tags),
       .path = "/etc/hosts"});
  row({.type = sample::kFinish,
       .pid = 4242,
       .comm = "nginx",
       .outcome = "timeout",
       .peer = ip("::ffff:192.0.2.8"),
       .latency = Duration{3'100'000'000},
       .size = 0,
       .tags = TextList(none)});
  row({.pid = 1,
       .comm = "IPv6",
       .outcome = "done",
       .peer = ip("2001:db8:1111:2222:3333:4444:5555:6666"),
       .latency = Duration{999'500}});
  CHECK(sink.lost({UnixTime{kStart + 7'000'000'001}, 12, "the ring buffer was full"}).ok());
  row({.type = sample::kFinish,
       .pid = std::numeric_limits<std::uint64_t>::max(),
       .comm = "huge",
       .delta = std::numeric_limits<std::int64_t>::min(),
       .ratio = std::numeric_limits<double>::max(),
       .latency = Duration{std::numeric_limits<std::int64_t>::max()},
       .size = std::numeric_limits<std::uint64_t>::max()});
  row({.comm = "\x1b]0;owned\x07", .ratio = std::nan(""), .path = "say \"hi\" \\ back\nslash\ttab"});
  row({.comm = "\xff\xfe\x80 bad utf-8", .ratio = -HUGE_VAL, .path = "nul\0nul"sv});
  row({.comm = "gpj.\u202eexe", .ratio = 1e-7, .path = "\u009b31m\x7f"});
  row({.comm = "\u65e5\u672c\u8a9e", .ratio = 123456.789, .path = "cafe\u0301 \U0001f600"});
  CHECK(sink.lost({UnixTime{kStart + 60'000'000'000}, 1, ""}).ok());
  row({.pid = 7,
       .comm = "a-name-longer-than-its-column",
       .delta = -86'400,
       .outcome = "done",
       .peer = ip("fd00::1"),
       .latency = Duration{1'200'000}});
}

// Far more groups than the live table keeps apart; the busiest of all comes last, and one that was there early goes on.
void feed_many(Sink& sink) {
  const auto give = [&](const Event& e) { CHECK(sink.row(Row(sample::kSchema, e)).ok()); };
  const Event early{.pid = 77, .comm = "many", .outcome = "refused", .latency = Duration{2'000'000}};
  for (std::uint64_t pid = 1; pid <= 10'000; ++pid) {
    give({.pid = pid, .comm = "many"});
    if (pid % 100 == 77) give(early);
  }
  for (int i = 0; i < 5'000; ++i) give({.pid = 20'000, .comm = "last"});
}

}  // namespace

TEST_CASE("a tool with every type of field") {
  golden::compare_all("sample", sample::kSchema, {kStart}, feed);
}

TEST_CASE("the live table: every kind of text in its groups") {
  golden::compare_top("sample", sample::kSchema, {"comm", "peer"}, feed);
}

TEST_CASE("the live table: more groups than it keeps") {
  const TopStyle style{.title = "sample", .group = {sample::kSchema.find("pid")}};
  golden::compare("sample-many.top", golden::top_frame(60, 6, sample::kSchema, style, feed_many));
}
