// Lines read back: what was written comes out again, whatever the values; what is no such line is said to be none.
#include "replay/line.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "query/predicate.h"
#include "replay/scalars.h"
#include "sample_event.h"
#include "sink/formats.h"

using namespace plumb;
using replay::LineKind;
using replay::LineReader;

namespace {

std::string line_of(const Row& row) {
  Output out = Output::memory();
  const auto sink = make_json_sink(row.schema(), out);
  REQUIRE(sink->row(row));
  std::string text = out.buffer();
  text.pop_back();  // the newline
  return text;
}

std::string line_of(const sample::Event& e) {
  return line_of(Row(sample::kSchema, e));
}

struct Random {
  std::mt19937_64 engine{17};
  std::uint64_t operator()(std::uint64_t below) { return engine() % below; }
};

struct MadeUp {
  sample::Event event;
  std::string comm, path;
  std::vector<std::string> tags;
  std::vector<std::string_view> tag_views;

  explicit MadeUp(Random& random) {
    event.type = random(2) == 0 ? sample::kBegin : sample::kFinish;
    event.time = {static_cast<std::int64_t>(random(4'000'000'000'000'000'000))};
    if (random(4) != 0) event.pid = random(3) == 0 ? random.engine() : random(100);
    comm = text(random);
    event.comm = comm;
    if (random(3) != 0) event.delta = static_cast<std::int64_t>(random.engine()) >> random(64);
    if (random(3) != 0)
      event.ratio = std::ldexp(static_cast<double>(random(1000)) - 500, static_cast<int>(random(80)) - 40);
    if (random(3) != 0) event.cached = random(2) == 0;
    if (random(3) != 0) event.outcome = sample::kOutcomes[random(3)];
    const std::uint8_t bytes[16] = {0xfd, 1, 2, 3, 4, static_cast<std::uint8_t>(random(4))};
    if (random(3) != 0) event.peer = random(2) == 0 ? IpAddress::v6(bytes) : IpAddress::v4(bytes + random(3));
    if (random(3) != 0) event.latency = Duration{static_cast<std::int64_t>(random.engine()) >> random(60)};
    event.size = random.engine() >> random(64);
    path = text(random);
    if (random(3) != 0) event.path = path;
    if (random(3) == 0) return;
    for (std::uint64_t n = random(4); n > 0; --n) tags.push_back(text(random));
    tag_views.assign(tags.begin(), tags.end());
    event.tags = tag_views.empty() ? TextList{} : TextList(tag_views);
  }

  static std::string text(Random& random) {
    static constexpr std::string_view kParts[] = {
        "curl", "\"",  "\\",           "\n",   "\x1b[31m", "\xc3\xa4", "\xf0\x9f\x90\x8d",
        "/",    "a b", "\xe2\x80\xae", "\x7f", "{}",       ","};
    std::string s;
    for (std::uint64_t n = random(5); n > 0; --n) s += kParts[random(std::size(kParts))];
    return s;
  }
};

}  // namespace

TEST_CASE("replay: what is written is read back, byte for byte") {
  Random random;
  LineReader reader(sample::kSchema);
  for (int i = 0; i < 5000; ++i) {
    const MadeUp made(random);
    const std::string line = line_of(made.event);
    REQUIRE_MESSAGE(reader.read(line) == LineKind::row, line << ": " << reader.why());
    CHECK(line_of(Row(reader.schema(), reader.row())) == line);
  }
  for (const std::uint64_t n : reader.missing()) CHECK(n == 0);
  CHECK(reader.unknown().empty());
}

TEST_CASE("replay: an expression holds of a saved line exactly when it holds of the event") {
  Random random;
  LineReader reader(sample::kSchema);
  const std::vector<std::string> tests = {
      "pid > 50",           "pid == null",      "comm == \"curl\"", "comm =~ \"[{]\"",    "delta < 0",
      "ratio >= 0.5",       "cached",           "!cached",          "outcome == refused", "outcome != done",
      "peer in fd00::/8",   "peer != 1.2.3.4",  "latency > 20ms",   "latency == null",    "size > 1KB",
      "size_bytes == null", "\"curl\" in tags", "tags =~ \"a\"",    "path != \"\"",       "path == null",
      "type == finish",     "delta < pid"};
  int held = 0;
  for (int i = 0; i < 200; ++i) {
    std::string text = tests[random(tests.size())];
    for (std::uint64_t n = random(4); n > 0; --n) {
      const std::string& other = tests[random(tests.size())];
      text = (random(3) == 0 ? "!(" : "(") + text + ")" + (random(2) == 0 ? " && " : " || ") + other;
    }
    const auto live = Predicate::compile(text, sample::kSchema);
    const auto saved = Predicate::compile(text, reader.schema());
    REQUIRE_MESSAGE(live, text);
    REQUIRE(saved);
    for (int n = 0; n < 50; ++n) {
      const MadeUp made(random);
      const std::string line = line_of(made.event);
      REQUIRE(reader.read(line) == LineKind::row);
      const bool holds = (*live)(Row(sample::kSchema, made.event));
      CHECK_MESSAGE((*saved)(Row(reader.schema(), reader.row())) == holds, text << " of " << line);
      held += holds ? 1 : 0;
    }
  }
  CHECK(held > 1000);  // and not of all alike
  CHECK(held < 9000);
}

TEST_CASE("replay: other lines are told apart") {
  LineReader reader(sample::kSchema);
  CHECK(reader.read("") == LineKind::empty);
  CHECK(reader.read(" \r") == LineKind::empty);
  CHECK(reader.read(R"({"type":"connect","pid":"x"})") == LineKind::broken);
  CHECK(reader.read(R"({"type":"connect","pid":1})") == LineKind::other);
  CHECK(reader.other_type() == "connect");
  CHECK(reader.read(R"({"type":"begin","type":null})") == LineKind::other);  // of two values the last counts
  CHECK(reader.read("{}") == LineKind::other);
  CHECK(reader.other_type().empty());
  CHECK(reader.read(R"({"type":"lost","time":"2026-11-21T06:49:26.000000001Z","count":12})") ==
        LineKind::lost);
  CHECK(reader.lost_count() == 12);
  CHECK(reader.lost_at() == UnixTime{1'795'243'766'000'000'001});
  CHECK(reader.read(R"({"count":3,"time":"2026-11-21T06:49:26Z","type":"lost"})") == LineKind::lost);
  CHECK(reader.lost_count() == 3);
  CHECK(reader.read(R"({"type":"lost","count":3})") == LineKind::broken);
}

TEST_CASE("replay: broken lines say what is wrong") {
  LineReader reader(sample::kSchema);
  const auto why = [&](std::string_view line) {
    CHECK_MESSAGE(reader.read(line) == LineKind::broken, line);
    return reader.why();
  };
  CHECK(why("begin") == "not JSON at byte 1");
  CHECK(why(R"({"type":"begin","pid":1)") == "not JSON at byte 24");
  CHECK(why(R"({"type":"begin","pid":1}})") == "not JSON at byte 25");
  CHECK(why(R"({"type":"begin","pid":-1})") == "pid is not a whole number from 0 on");
  CHECK(why(R"({"type":"begin","pid":true})") == "pid is not a whole number from 0 on");
  CHECK(why(R"({"type":"begin","pid":18446744073709551616})") == "pid is not a whole number from 0 on");
  CHECK(why(R"({"type":"begin","comm":7})") == "comm is not a text");
  CHECK(why(R"({"type":"begin","peer":"1.2.3"})") == "peer is not an address");
  CHECK(why(R"({"type":"begin","tags":["a",1]})") == "tags is not a list of texts");
  CHECK(why(R"({"type":"begin","tags":"a"})") == "tags is not a list");
  CHECK(why(R"({"type":"begin","time":"yesterday"})") == "time is not a time in UTC (RFC 3339)");
  CHECK(why(R"({"type":"begin","latency_ms":"5"})") == "latency_ms is not a number of milliseconds");
  CHECK(why("{\"type\":\"begin\",\"comm\":\"a\nb\"}").starts_with("not JSON"));
  CHECK(why(std::string(LineReader::kLongest + 1, '[')) == "longer than 1 MiB");
  CHECK(why(R"({"type":"begin","more":)" + std::string(1000, '[')).starts_with("not JSON"));
}

TEST_CASE("replay: fields that are not there are unknown and counted, keys that no field has are named") {
  LineReader reader(sample::kSchema);
  REQUIRE(reader.read(R"({"type":"finish","pid":7,"shiny":{"a":[1,"]"]},"latency_ms":0.083412})") ==
          LineKind::row);
  REQUIRE(reader.read(R"({"pid":8,"type":"begin","comm":null})") == LineKind::row);
  CHECK(std::holds_alternative<None>(reader.row()[sample::kSchema.find("latency_ms")]));
  CHECK(reader.missing()[sample::kSchema.find("comm")] == 1);
  CHECK(reader.missing()[sample::kSchema.find("size_bytes")] == 1);  // a begin has none
  CHECK(reader.missing()[sample::kSchema.find("pid")] == 0);
  CHECK(reader.unknown().at("shiny") == 1);
}

TEST_CASE("replay: numbers of milliseconds are exact to the nanosecond") {
  struct Case {
    std::string_view text;
    std::int64_t ns;
  };
  for (const Case& c :
       std::initializer_list<Case>{{"0", 0},
                                   {"0.000001", 1},
                                   {"-0.000001", -1},
                                   {"12", 12'000'000},
                                   {"0.083412", 83'412},
                                   {"1e3", 1'000'000'000},
                                   {"0.1234567", 123'457},
                                   {"9223372036854.775807", std::numeric_limits<std::int64_t>::max()},
                                   {"-9223372036854.775808", std::numeric_limits<std::int64_t>::min()}}) {
    const auto d = replay::parse_milliseconds(c.text);
    REQUIRE_MESSAGE(d, c.text);
    CHECK_MESSAGE(d->ns == c.ns, c.text);
  }
  CHECK(!replay::parse_milliseconds("1e300"));
  CHECK(!replay::parse_milliseconds("92233720368548"));
}

TEST_CASE("replay: times are UTC to the nanosecond") {
  CHECK(replay::parse_time("1970-01-01T00:00:00Z") == UnixTime{0});
  CHECK(replay::parse_time("2024-02-29T23:59:59.5Z") == UnixTime{1'709'251'199'500'000'000});
  CHECK(replay::parse_time("1969-12-31T23:59:59.999999999Z") == UnixTime{-1});
  for (const std::string_view bad :
       {"", "2026-11-21", "2026-11-21T06:49:26+01:00", "2026-13-21T06:49:26Z", "2026-11-21T06:49:26.Z",
        "2026-11-21T06:49:26.1234567890Z", "9999-01-01T00:00:00Z"})
    CHECK_MESSAGE(!replay::parse_time(bad), bad);
}
