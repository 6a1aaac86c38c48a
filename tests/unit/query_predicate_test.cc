#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "query/predicate.h"
#include "sample_event.h"

using namespace plumb;
using sample::Event;

namespace {

bool holds(std::string_view expression, const Event& e) {
  const auto p = Predicate::compile(expression, sample::kSchema);
  if (!p)
    FAIL(std::string(expression) << ": " << p.error().what << ": " << p.error().why << '\n'
                                 << p.error().excerpt);
  return (*p)(Row(sample::kSchema, e));
}

IpAddress address(std::string_view text) {
  return *IpAddress::parse(text);
}

const std::string_view kTags[] = {"red", "blue"};

// Every field known.
Event known() {
  Event e;
  e.type = sample::kFinish;
  e.time = UnixTime{1};
  e.pid = 42;
  e.comm = "curl";
  e.delta = -3;
  e.ratio = 0.25;
  e.cached = true;
  e.outcome = "refused";
  e.peer = address("10.1.2.3");
  e.latency = Duration{20'000'000};
  e.size = 4096;
  e.tags = TextList(kTags);
  e.path = "/etc/passwd";
  return e;
}

}  // namespace

TEST_CASE("query: each comparison of numbers") {
  const Event e = known();
  struct {
    const char* text;
    bool expected;
  } const cases[] = {
      {"pid == 42", true},         {"pid == 41", false},     {"pid != 42", false},
      {"pid != 41", true},         {"pid < 42", false},      {"pid < 43", true},
      {"pid <= 42", true},         {"pid <= 41", false},     {"pid > 41", true},
      {"pid > 42", false},         {"pid >= 42", true},      {"pid >= 43", false},
      {"42 == pid", true},         {"41 < pid", true},       {"42 < pid", false},
      {"43 > pid", true},          {"42 >= pid", true},      {"43 <= pid", false},
      {"pid > -1", true},          {"pid < -1", false},      {"pid > 41.5", true},
      {"pid < 41.5", false},       {"pid == 42.0", true},    {"pid == 4.2e1", true},
      {"pid in (1, 42)", true},    {"pid in (1, 2)", false}, {"pid not in (1, 42)", false},
      {"pid not in (1, 2)", true}, {"pid in 42", true},      {"pid in (42.0)", true},
      {"delta == -3", true},       {"delta < 0", true},      {"delta in (-4,-3)", true},
      {"delta<-2", true},          {"delta > 2", false},     {"ratio == 0.25", true},
      {"ratio == .25", true},      {"ratio < 1", true},      {"ratio > 1e-1", true},
      {"ratio in (1, .25)", true},
  };
  for (const auto& c : cases) CHECK_MESSAGE(holds(c.text, e) == c.expected, c.text);
}

TEST_CASE("query: numbers beyond a double's integers compare exactly") {
  Event e = known();
  e.pid = std::numeric_limits<std::uint64_t>::max();
  CHECK(holds("pid == 18446744073709551615", e));
  CHECK_FALSE(holds("pid == 18446744073709551614", e));
  CHECK(holds("pid > 9223372036854775808", e));
  CHECK(holds("pid in (1, 18446744073709551615)", e));
  e.pid = 9007199254740993;  // 2^53 + 1
  CHECK_FALSE(holds("pid == 9007199254740992", e));
  CHECK(holds("pid > 9007199254740992", e));
  e.delta = std::numeric_limits<std::int64_t>::min();
  CHECK(holds("delta == -9223372036854775808", e));
  CHECK(holds("delta < -9223372036854775807", e));
  CHECK(holds("delta < 18446744073709551615", e));
}

TEST_CASE("query: NaN satisfies nothing, like null") {
  Event e = known();
  e.ratio = std::numeric_limits<double>::quiet_NaN();
  for (const char* text :
       {"ratio == 0", "ratio != 0", "ratio < 1", "ratio >= 1", "ratio in (0, 1)", "ratio not in (0, 1)"}) {
    CHECK_FALSE_MESSAGE(holds(text, e), text);
  }
}

TEST_CASE("query: units of time") {
  Event e = known();
  e.latency = Duration{90'000'000'000};
  for (const char* text :
       {"latency_ms == 90000", "latency_ms == 90000ms", "latency_ms == 90s", "latency_ms == 1.5m",
        "latency_ms == 0.025h", "latency_ms == 90000000us", "latency_ms == 90000000000ns", "latency == 90s",
        "latency in (1s, 90s)", "latency > 89.999999999s", "90s == latency"}) {
    CHECK_MESSAGE(holds(text, e), text);
  }
  e.latency = Duration{12'345'678};  // as JSON prints it
  CHECK(holds("latency_ms == 12.345678", e));
  CHECK(holds("latency_ms > 12.345677 && latency_ms < 12.345679", e));
}

TEST_CASE("query: units of size") {
  Event e = known();
  e.size = 4096;
  for (const char* text : {"size_bytes == 4096", "size == 4KiB", "size == 4096B", "size > 4KB", "size < 1MB",
                           "size < 1MiB", "size < 1GB", "size < 1GiB", "size == 4.096KB"}) {
    CHECK_MESSAGE(holds(text, e), text);
  }
  e.size = 3'000'000'000;
  CHECK(holds("size == 3GB", e));
  CHECK_FALSE(holds("size >= 3GiB", e));
}

TEST_CASE("query: text, words, expressions of RE2") {
  const Event e = known();
  struct {
    const char* text;
    bool expected;
  } const cases[] = {
      {R"(comm == "curl")", true},
      {R"(comm == 'curl')", true},
      {R"(comm != "curl")", false},
      {R"(comm != "wget")", true},
      {R"("curl" == comm)", true},
      {R"(comm in ("wget", "curl"))", true},
      {R"(comm not in ("wget"))", true},
      {R"(comm =~ "^cu")", true},
      {R"(comm =~ "url$")", true},
      {R"(comm =~ "CURL")", false},
      {R"(comm =~ "(?i)CURL")", true},
      {R"(comm !~ "^cu")", false},
      {R"(comm !~ "x")", true},
      {R"(path =~ "\.")", false},
      {R"(path =~ "^/etc/\w+$")", true},
      {R"(path =~ "\\w")", true},
      {R"(comm == "c\x75rl")", true},
      {R"(comm == "a\"b")", false},
      {"outcome == refused", true},
      {"outcome == \"refused\"", true},
      {"outcome != refused", false},
      {"outcome != done", true},
      {"outcome in (done, refused)", true},
      {"outcome not in (done, timeout)", true},
      {"refused == outcome", true},
      {"outcome =~ 'fus'", true},
      {"type == finish", true},
      {"cached", true},
      {"!cached", false},
      {"cached == true", true},
      {"cached != true", false},
      {"cached == false", false},
      {"true == cached", true},
      {R"("red" in tags)", true},
      {R"("green" in tags)", false},
      {R"("green" not in tags)", true},
      {R"("red" not in tags)", false},
      {R"(tags =~ "^bl")", true},
      {R"(tags !~ "^bl")", false},
      {R"(tags !~ "^x")", true},
  };
  for (const auto& c : cases) CHECK_MESSAGE(holds(c.text, e) == c.expected, c.text);
}

TEST_CASE("query: addresses and prefixes") {
  struct {
    const char* peer;
    const char* text;
    bool expected;
  } const cases[] = {
      {"10.1.2.3", "peer == 10.1.2.3", true},
      {"10.1.2.3", "peer == \"10.1.2.3\"", true},
      {"10.1.2.3", "peer == ::ffff:10.1.2.3", true},
      {"::ffff:10.1.2.3", "peer == 10.1.2.3", true},
      {"::ffff:10.1.2.3", "peer in 10.0.0.0/8", true},
      {"10.1.2.3", "peer in ::ffff:10.0.0.0/104", true},
      {"10.1.2.3", "peer != 10.1.2.3", false},
      {"10.1.2.3", "10.1.2.3 == peer", true},
      {"10.1.2.3", "peer in 10.0.0.0/8", true},
      {"11.1.2.3", "peer in 10.0.0.0/8", false},
      {"11.1.2.3", "peer not in 10.0.0.0/8", true},
      {"10.1.2.3", "peer not in 10.0.0.0/8", false},
      {"10.1.2.3", "peer in 10.9.9.9/8", true},  // host bits do not count
      {"10.1.2.3", "peer in 10.1.2.2/31", true},
      {"10.1.2.3", "peer in 10.1.2.3/32", true},
      {"10.1.2.3", "peer in (192.168.0.0/16, 10.1.2.3)", true},
      {"10.1.2.3", "peer in (192.168.0.0/16, fd00::/8)", false},
      {"10.1.2.3", "peer in 0.0.0.0/0", true},
      {"10.1.2.3", "peer in ::/0", false},
      {"fd00::1", "peer in ::/0", true},
      {"fd00::1", "peer in 0.0.0.0/0", false},
      {"fd00::1", "peer in fd00::/8", true},
      {"fe80::1", "peer in fd00::/8", false},
      {"fd00::1", "peer == fd00::1", true},
      {"fd00::1", "peer == fd00:0:0:0:0:0:0:1", true},
      {"::1", "peer in ::1/128", true},
  };
  for (const auto& c : cases) {
    Event e;
    e.peer = address(c.peer);
    CHECK_MESSAGE(holds(c.text, e) == c.expected, c.peer << ": " << c.text);
  }
}

TEST_CASE("query: a test of an unknown value is false, whatever it asks") {
  const Event e;  // begin: carries no size_bytes, and all else that can be unknown is
  for (const char* text : {"pid == 0",
                           "pid != 0",
                           "pid < 1",
                           "pid <= 0",
                           "pid > 0",
                           "pid >= 0",
                           "pid in (0)",
                           "pid not in (0)",
                           "comm == \"\"",
                           "comm != \"x\"",
                           "comm =~ \".*\"",
                           "comm !~ \"x\"",
                           "comm in (\"\")",
                           "comm not in (\"x\")",
                           "cached",
                           "cached == true",
                           "cached == false",
                           "cached != true",
                           "peer == 0.0.0.0",
                           "peer != 1.1.1.1",
                           "peer in 0.0.0.0/0",
                           "peer not in 0.0.0.0/0",
                           "outcome != done",
                           "outcome not in (done)",
                           "latency >= 0",
                           "tags =~ \"\"",
                           "tags !~ \"\"",
                           "\"x\" in tags",
                           "\"x\" not in tags",
                           "size >= 0",
                           "size == 0",
                           "size_bytes != 1",
                           "pid == delta",
                           "pid != delta",
                           "comm != path",
                           "pid != null",
                           "size != null"}) {
    CHECK_FALSE_MESSAGE(holds(text, e), text);
    CHECK_MESSAGE(holds("!(" + std::string(text) + ")", e), text);
  }
  for (const char* text :
       {"pid == null", "null == pid", "size == null", "comm == null", "peer == null", "tags == null",
        "cached == null", "outcome == null", "latency == null", "ratio == null"}) {
    CHECK_MESSAGE(holds(text, e), text);
  }
  const Event k = known();
  for (const char* text : {"pid != null", "size != null", "time != null", "comm != null", "tags != null"}) {
    CHECK_MESSAGE(holds(text, k), text);
  }
  Event empty;
  empty.path = "";  // known to be empty
  CHECK(holds("path == \"\" && path != null", empty));
}

TEST_CASE("query: two fields compare") {
  Event e = known();
  e.delta = 42;
  CHECK(holds("pid == delta", e));
  CHECK_FALSE(holds("pid != delta", e));
  CHECK(holds("pid > ratio", e));
  CHECK(holds("delta >= pid && ratio < pid", e));
  CHECK_FALSE(holds("comm == path", e));
  CHECK(holds("comm != path", e));
}

TEST_CASE("query: precedence") {
  // t and f stand for tests that hold and do not.
  Event e = known();
  const std::string t = "pid == 42";
  const std::string f = "pid == 1";
  CHECK(holds(t + "||" + f + "&&" + f, e));  // && first
  CHECK_FALSE(holds("(" + t + "||" + f + ")&&" + f, e));
  CHECK(holds(f + "&&" + f + "||" + t, e));
  CHECK_FALSE(holds(f + "&&(" + f + "||" + t + ")", e));
  CHECK_FALSE(holds("!cached || !cached && cached", e));
  CHECK(holds("!(cached && !cached)", e));
  CHECK(holds("!!cached", e));
  CHECK_FALSE(holds("!(!(!cached)) && cached", e));
  CHECK(holds("!(" + f + ") && " + t, e));
  CHECK_FALSE(holds("!(" + t + "||" + f + ")", e));
  CHECK(holds("!(" + t + "&&" + f + ")", e));
  CHECK(holds(" \t\n( ( pid==42 ) )\r\n", e));
}

TEST_CASE("query: every combination of three tests agrees with C++") {
  const char* const ops[] = {"&&", "||"};
  for (unsigned bits = 0; bits < 8 * 4 * 8; ++bits) {
    const bool a = bits & 1U;
    const bool b = bits & 2U;
    const bool c = bits & 4U;
    const bool first_or = bits & 8U;
    const bool second_or = bits & 16U;
    const bool na = bits & 32U;
    const bool nb = bits & 64U;
    const bool nc = bits & 128U;
    const auto term = [](bool value, bool negated) {
      return std::string(negated ? "!" : "") + (value ? "(pid == 42)" : "(pid != 42)");
    };
    const std::string text =
        term(a, na) + ops[first_or ? 1 : 0] + term(b, nb) + ops[second_or ? 1 : 0] + term(c, nc);
    const bool x = a != na;
    const bool y = b != nb;
    const bool z = c != nc;
    const bool expected =
        first_or ? (second_or ? x || y || z : x || (y && z)) : (second_or ? (x && y) || z : x && y && z);
    CHECK_MESSAGE(holds(text, known()) == expected, text);
  }
}

TEST_CASE("query: long chains and deep nesting") {
  std::string chain = "pid == 42";
  for (int i = 0; i < 4000; ++i) chain += " && pid != 1";
  CHECK(holds(chain, known()));
  const auto nested = [](int depth) { return std::string(depth, '(') + "cached" + std::string(depth, ')'); };
  CHECK(holds(nested(64), known()));
  CHECK(holds(std::string(64, '!') + "cached", known()));
}

TEST_CASE("query: a hostile pattern costs time linear in the text") {
  const std::string text(100'000, 'a');
  Event e;
  e.path = text;
  CHECK_FALSE(holds("path =~ \"^(a+)+(a|b)*(a?){50}c$\"", e));
  const auto p = Predicate::compile("path =~ \"((a{100}){100}){100}\"", sample::kSchema);
  REQUIRE_FALSE(p);
  CHECK(p.error().what == "not a regular expression");
}

TEST_CASE("query: conditions that a kernel filter may decide") {
  const auto p = Predicate::compile(
      "pid == 7 && (peer in (10.0.0.0/8, fd00::1) && latency > 20ms) && outcome != done && cached && "
      "5 < delta && comm == null && (pid == 1 || pid == 2) && !(pid == 3) && pid != delta && \"x\" in tags",
      sample::kSchema);
  REQUIRE(p.ok());
  const auto& c = p->pushdown();
  REQUIRE(c.size() == 7);
  const auto key = [&](std::size_t i) { return sample::kSchema.spec(c[i].field).key; };
  CHECK(key(0) == "pid");
  CHECK(c[0].compare == query::Compare::equal);
  CHECK(std::get<std::int64_t>(c[0].values.at(0)) == 7);
  CHECK(key(1) == "peer");
  CHECK(c[1].compare == query::Compare::in);
  REQUIRE(c[1].values.size() == 2);
  CHECK(std::get<IpPrefix>(c[1].values[0]).length == 8);
  CHECK(std::get<IpPrefix>(c[1].values[1]).length == 128);
  CHECK(key(2) == "latency_ms");
  CHECK(c[2].compare == query::Compare::greater);
  CHECK(std::get<std::int64_t>(c[2].values.at(0)) == 20'000'000);
  CHECK(key(3) == "outcome");
  CHECK(c[3].compare == query::Compare::not_equal);
  CHECK(std::get<std::string>(c[3].values.at(0)) == "done");
  CHECK(key(4) == "cached");
  CHECK(c[4].compare == query::Compare::equal);
  CHECK(std::get<bool>(c[4].values.at(0)));
  CHECK(key(5) == "delta");
  CHECK(c[5].compare == query::Compare::greater);
  CHECK(std::get<std::int64_t>(c[5].values.at(0)) == 5);
  CHECK(key(6) == "comm");
  CHECK(std::holds_alternative<None>(c[6].values.at(0)));
  // Nothing follows from an alternative.
  CHECK(Predicate::compile("pid == 1 || pid == 2", sample::kSchema)->pushdown().empty());
  CHECK(Predicate::compile("!(pid == 1)", sample::kSchema)->pushdown().empty());
}
