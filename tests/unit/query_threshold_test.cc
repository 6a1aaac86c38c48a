#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "query/threshold.h"
#include "sample_event.h"

using namespace plumb;
using sample::Event;

namespace {

constexpr Duration kSecond{1'000'000'000};

Threshold compiled(std::string_view expression) {
  auto t = Threshold::compile(expression, sample::kSchema);
  if (!t)
    FAIL(std::string(expression) << ": " << t.error().what << ": " << t.error().why << '\n'
                                 << t.error().excerpt);
  return *std::move(t);
}

Verdict verdict(std::string_view expression, const std::vector<Event>& events, Duration elapsed = kSecond) {
  Threshold t = compiled(expression);
  for (const Event& e : events) t.observe(Row(sample::kSchema, e));
  return t.evaluate(elapsed);
}

// Two lines of "begin" with latencies of 10 and 20 ms, two of "finish" with 4096 bytes, one of them refused.
std::vector<Event> four() {
  std::vector<Event> v(4);
  v[0].latency = Duration{10'000'000};
  v[1].latency = Duration{20'000'000};
  v[0].outcome = v[2].outcome = "done";
  v[1].outcome = v[3].outcome = "refused";
  v[2].type = v[3].type = sample::kFinish;
  v[2].size = v[3].size = 4096;
  v[0].delta = -7;
  v[0].ratio = 0.125;
  v[1].cached = true;
  return v;
}

std::string carets(const Error& e) {
  return e.excerpt.substr(e.excerpt.find('\n') + 1);
}

}  // namespace

TEST_CASE("threshold: what is measured and how it reads") {
  struct {
    const char* text;
    bool holds;
    const char* measured;
  } const cases[] = {
      {"count == 4", true, "count = 4"},
      {"count != 4", false, "count = 4"},
      {"4 <= count", true, "count = 4"},
      {"5 <= count", false, "count = 4"},
      {"rate > 1.5", true, "rate = 2.00 /s (n 4)"},
      {"share(outcome != \"done\") > 1%", true, "share(outcome != \"done\") = 50.0 % (n 4)"},
      {"share(outcome != done) > 60%", false, "share(outcome != done) = 50.0 % (n 4)"},
      {"share(outcome != done) == 0.5", true, "share(outcome != done) = 50.0 % (n 4)"},
      {"share(outcome == done) >= 50%", true, "share(outcome == done) = 50.0 % (n 4)"},
      {"share(outcome in (done, refused)) == 100%", true,
       "share(outcome in (done, refused)) = 100.0 % (n 4)"},
      {"share(size > 1KB) == 1", true,
       "share(size > 1KB) = 100.0 % (n 2)"},  // of the two lines that carry it
      {"count(size > 1KB) == 2", true, "count(size > 1KB) = 2 (n 4)"},
      {"count(latency != null) == 2", true, "count(latency != null) = 2 (n 4)"},
      {"count(cached) == 1", true, "count(cached) = 1 (n 4)"},
      {"p50(latency_ms) > 9", true, "p50(latency_ms) = 10.0 ms (n 2)"},
      {"p99(latency_ms) > 19.9ms", true, "p99(latency_ms) = 20.0 ms (n 2)"},
      {"p99(latency) > 20ms", false, "p99(latency) = 20.0 ms (n 2)"},
      {"p99(latency) > 0.02s", false, "p99(latency) = 20.0 ms (n 2)"},
      {"max(latency) >= 20ms", true, "max(latency) = 20.0 ms (n 2)"},
      {"min(latency) < 11ms", true, "min(latency) = 10.0 ms (n 2)"},
      {"avg(latency) == 15ms", true, "avg(latency) = 15.0 ms (n 2)"},
      {"sum(latency) == 30ms", true, "sum(latency) = 30.0 ms (n 2)"},
      {"sum(size) == 8KiB", true, "sum(size) = 8192 B (n 2)"},
      {"avg(size_bytes) > 4KB", true, "avg(size_bytes) = 4096 B (n 2)"},
      {"min(delta) < 0", true, "min(delta) = -7 (n 1)"},
      {"max(ratio) > 0.1", true, "max(ratio) = 0.125 (n 1)"},
      {"max(pid) == null", true, "max(pid) = null"},
      {"max(pid) > 0", false, "max(pid) = null"},
      {"count == 4 && share(outcome == done) < 10%", false,
       "count = 4, share(outcome == done) = 50.0 % (n 4)"},
      {"count == 4 || share(outcome == done) < 10%", true,
       "count = 4, share(outcome == done) = 50.0 % (n 4)"},
      {"!(count == 4)", false, "count = 4"},
      {"count > 1 && count < 9", true, "count = 4"},
  };
  for (const auto& c : cases) {
    const Verdict v = verdict(c.text, four(), Duration{2 * kSecond.ns});
    CHECK_MESSAGE(v.holds == c.holds, c.text);
    CHECK_MESSAGE(v.text() == c.measured, c.text);
  }
}

TEST_CASE("threshold: over nothing seen") {
  struct {
    const char* text;
    bool holds;
    const char* measured;
  } const cases[] = {
      {"count == 0", true, "count = 0"},
      {"count(cached) == 0", true, "count(cached) = 0"},
      {"rate == 0", true, "rate = 0.0 /s"},
      {"sum(latency) == 0", true, "sum(latency) = 0.0 ms"},
      {"share(cached) > 1%", false, "share(cached) = null"},
      {"share(cached) <= 100%", false, "share(cached) = null"},
      {"share(cached) != 5%", false, "share(cached) = null"},
      {"share(cached) == null", true, "share(cached) = null"},
      {"share(cached) != null", false, "share(cached) = null"},
      {"p99(latency) > 50ms", false, "p99(latency) = null"},
      {"p99(latency) <= 50ms", false, "p99(latency) = null"},
      {"!(p99(latency) <= 50ms)", true, "p99(latency) = null"},
      {"max(latency) >= 0", false, "max(latency) = null"},
      {"min(latency) >= 0", false, "min(latency) = null"},
      {"avg(latency) >= 0", false, "avg(latency) = null"},
      {"null == avg(latency)", true, "avg(latency) = null"},
  };
  for (const auto& c : cases) {
    const Verdict v = verdict(c.text, {});
    CHECK_MESSAGE(v.holds == c.holds, c.text);
    CHECK_MESSAGE(v.text() == c.measured, c.text);
  }
}

TEST_CASE("threshold: a rate without elapsed time is unknown") {
  CHECK_FALSE(verdict("rate > 0", four(), Duration{0}).holds);
  CHECK(verdict("rate == null", four(), Duration{-1}).holds);
  CHECK(verdict("rate == 0", {}, Duration{0}).holds);
}

TEST_CASE("threshold: a share is of the lines that carry its first field, known or not") {
  std::vector<Event> v(3);
  v[0].type = v[1].type = sample::kFinish;
  v[0].size = 10;
  CHECK(verdict("share(size > 5B) == 50%", v).holds);                // begin does not carry size_bytes
  CHECK(verdict("share(pid == null && size > 5B) < 34%", v).holds);  // all three carry pid
  CHECK(verdict("share(outcome == done) == 0%", v).holds);           // null is no `done`, but is in the whole
}

TEST_CASE("threshold: percentages are what the division gives") {
  std::vector<Event> v(100);
  for (int n = 0; n <= 100; ++n) {
    for (int i = 0; i < 100; ++i) v[static_cast<std::size_t>(i)].cached = i < n;
    const std::string limit = std::to_string(n) + "%";
    CHECK_MESSAGE(verdict("share(cached) == " + limit, v).holds, limit);
    CHECK_MESSAGE(verdict("share(cached) >= " + limit, v).holds, limit);
    CHECK_MESSAGE(!verdict("share(cached) > " + limit, v).holds, limit);
  }
}

TEST_CASE("threshold: rounding never shows a value on the wrong side of its limit") {
  std::vector<Event> v(1);
  v[0].latency = Duration{50'000'100};
  CHECK(verdict("max(latency) > 50ms", v).text() == "max(latency) = 50.0001 ms (n 1)");
  CHECK(verdict("max(latency) > 40ms", v).text() == "max(latency) = 50.0 ms (n 1)");
  v[0].latency = Duration{1'234'567};
  CHECK(verdict("max(latency_ms) > 1", v).text() == "max(latency_ms) = 1.23 ms (n 1)");
  v[0].latency = Duration{123};
  CHECK(verdict("max(latency) < 1ms", v).text() == "max(latency) = 0.000123 ms (n 1)");
  v[0].latency = Duration{12'345'678'900'000};
  CHECK(verdict("max(latency) > 1h", v).text() == "max(latency) = 12345678.9 ms (n 1)");
}

TEST_CASE("threshold: numbers in the units of JSON") {
  const auto number = [](const char* text) { return verdict(text, four()).measured.at(0).number; };
  CHECK(number("max(latency_ms) > 1") == 20);
  CHECK(number("share(cached) > 1%") == 0.25);
  CHECK(number("sum(size_bytes) > 1") == 8192);
  CHECK_FALSE(number("max(pid) > 1").has_value());
}

TEST_CASE("threshold: names of quantiles") {
  std::vector<Event> v(1000);
  for (std::size_t i = 0; i < v.size(); ++i) v[i].pid = i + 1;
  const auto value = [&](const char* name) {
    const auto n = verdict(std::string(name) + "(pid) > 0", v).measured.at(0).number;
    return n.value_or(-1);
  };
  CHECK(value("p50") == doctest::Approx(500).epsilon(0.004));
  CHECK(value("p5") == doctest::Approx(50).epsilon(0.004));
  CHECK(value("p05") == doctest::Approx(50).epsilon(0.004));
  CHECK(value("p90") == doctest::Approx(900).epsilon(0.004));
  CHECK(value("p99") == doctest::Approx(990).epsilon(0.004));
  CHECK(value("p999") == doctest::Approx(999).epsilon(0.004));
  CHECK(value("p9999") == 1000);
  CHECK(value("p10") == doctest::Approx(100).epsilon(0.004));
}

TEST_CASE("threshold: errors") {
  struct {
    const char* text;
    const char* carets;
    const char* what;
    const char* why;
  } const cases[] = {
      {"count", "^^^^^", "an aggregate alone is no condition", "compare it, for example with > 0"},
      {"5", "^", "a value alone is no condition", "compare an aggregate with it"},
      {"5 > 4", "^^^^^", "both sides are values", "one of them has to be an aggregate"},
      {"p99(latencyms) > 5", "    ^^^^^^^^^", "there is no field \"latencyms\"", "did you mean latency_ms?"},
      {"p99(comm) > 5", "    ^^^^", "p99 takes numbers; comm is text", ""},
      {"max(peer) > 5", "    ^^^^", "max takes numbers; peer is an address", ""},
      {"p99(latency > 5) > 5", "    ^^^^^^^^^^^", "p99 takes a field",
       "conditions are for share(...) and count(...)"},
      {"p99 > 5", "^^^", "p99 takes an argument", "a field, such as p99(latency_ms)"},
      {"p99() > 5", "^^^^^", "p99 takes an argument", "a field, such as p99(latency_ms)"},
      {"share > 5%", "^^^^^", "share takes an argument", "a condition, such as share(pid == 1)"},
      {"rate(pid) > 5", "^^^^^^^^^", "rate takes no argument", "it counts all rows, a second"},
      {"p100(pid) > 5", "^^^^", "there is no aggregate \"p100\"", "did you mean p50 or p90?"},
      {"p0(pid) > 5", "^^", "there is no aggregate \"p0\"", "did you mean p50 or p90?"},
      {"cuont > 5", "^^^^^", "there is no aggregate \"cuont\"", "did you mean count?"},
      {"median(pid) > 5", "^^^^^^", "there is no aggregate \"median\"",
       "there are count, rate, share, p50, p90, p95, p99, p999, min, max, avg and sum"},
      {"pid > 5", "^^^", "\"pid\" is a field, not an aggregate",
       "write for example max(pid) or count(pid != null)"},
      {"share(cached) > 10", "                ^^", "a share is between 0% and 100%", "did you mean 10%?"},
      {"share(cached) > 101%", "                ^^^^", "a share is between 0% and 100%", ""},
      {"share(cached) > -1%", "                ^^^", "a share is between 0% and 100%", ""},
      {"share(cached) > 5ms", "                ^^^", "a share is a percentage", "such as 1%"},
      {"share(cached) > \"a\"", "                ^^^", "share(cached) is a number",
       "a number or null belongs here"},
      {"share(pid) > 1%", "      ^^^", "pid is a number and no condition by itself",
       "compare it, for example with != null"},
      {"share(outcome == no) > 1%", "                 ^^", "outcome is never \"no\"",
       "it is one of done, refused and timeout"},
      {"share(count > 5) > 1%", "      ^^^^^", "there is no field \"count\"",
       "--list-fields shows all of them"},
      {"p99(p99(pid)) > 1", "    ^^^^^^^^", "p99 takes a field",
       "conditions are for share(...) and count(...)"},
      {"max(latency) > 5KB", "               ^^^", "this is a duration, not a size", ""},
      {"count > 5ms", "        ^^^", "this is a number, not a duration", ""},
      {"count > 5%", "        ^^", "a percentage compares with share(...) only", ""},
      {"count in (1, 2)", "      ^^", "in does not go with aggregates", "== != < <= > >= do"},
      {"count =~ \"4\"", "      ^^", "=~ does not go with aggregates", "== != < <= > >= do"},
      {"count < null", "      ^", "null compares with == and != only", ""},
      {"count(", "      ^", "the expression ends too early", "a field or a value is missing here"},
      {"count(cached", "     ^", "this parenthesis is not closed", ""},
      {"", "^", "the expression is empty", ""},
  };
  for (const auto& c : cases) {
    const auto t = Threshold::compile(c.text, sample::kSchema);
    if (t.ok()) FAIL_CHECK("compiles: " << c.text);
    if (t.ok()) continue;
    CHECK_MESSAGE(carets(t.error()) == c.carets, c.text << '\n' << t.error().excerpt);
    CHECK_MESSAGE(t.error().what == c.what, c.text);
    CHECK_MESSAGE(t.error().why == c.why, c.text);
  }
}
