// Reports: what each format gives a meaning to never comes from a name.
#include "report/report.h"

#include <doctest/doctest.h>

#include <string>

#include "replay/report.h"

using namespace plumb;
using report::Report;

namespace {

Report sample_report() {
  Report r;
  r.tool = "tcpconnect";
  r.version = "0.2";
  r.kernel = "6.18";
  r.command = {"plumb", "tcpconnect", "--fail-if", "p99(latency) > 10ms"};
  r.started = {1'795'244'966'000'000'000};
  r.duration = {1'500'000'000};
  r.verdicts = {
      {"p99(latency) > 10ms",
       "",
       true,
       false,
       {},
       {{"p99(latency)", "12.3 ms", 12.3, "10.0 ms", 10.0, 4711, {}, {}, {}}}},
      {"count == 0", "", false, false, {}, {{"count", "4711", 4711.0, "0", 0.0, 4711, {}, {}, {}}}}};
  r.seen = 5000;
  r.kept = 4711;
  r.losses = {{7, "the reader stalled"}, {2, "broken lines"}};
  r.hooks = {{"connect-error", "sys_exit"}, {"other", ""}};
  r.programs = {{"state", 100, 5000}};
  return r;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("report: sums") {
  CHECK(sample_report().failed());
  CHECK(sample_report().lost() == 9);
  CHECK(!Report{}.failed());
}

TEST_CASE("report: all three tell values, limits, numbers of rows and losses") {
  const Report r = sample_report();
  const std::string json = to_json(r), xml = to_junit(r), markdown = to_markdown(r);
  CHECK(has(json, "\"limit\": 10.0"));
  CHECK(has(json, "\"n\": 4711"));
  CHECK(has(json, "\"started\": \"2026-11-21T07:09:26Z\""));
  CHECK(has(json, "\"lost\": 9"));
  CHECK(has(xml, "p99(latency) = 12.3 ms (limit 10.0 ms, n 4711)"));
  CHECK(has(xml, R"(tests="2" failures="1" errors="0")"));
  CHECK(has(xml, R"(timestamp="2026-11-21T07:09:26")"));
  CHECK(has(xml, R"(<property name="events lost" value="9"/>)"));
  CHECK(has(markdown, "1 of 2 failed"));
  CHECK(has(markdown, "| **FAILED** |"));
  CHECK(has(markdown, "100 runs, 50 ns each"));
}

TEST_CASE("report: a name is only a name") {
  Report r = sample_report();
  const std::string name = "a\"<b>&amp;|*_`\\\n\x1b[2J\xff\xef\xbf\xbf\xe2\x80\xae]]>";
  r.verdicts[0].group = name;
  r.losses[0].why = name;
  r.command.push_back(name);
  r.error = name;
  for (const std::string& text : {to_json(r), to_junit(r), to_markdown(r)}) {
    for (const std::string_view bad : {"\x1b", "\xff", "\xe2\x80\xae"}) CHECK(!has(text, bad));
  }
  CHECK(!has(to_junit(r), "\xef\xbf\xbf"));
  const std::string xml = to_junit(r), markdown = to_markdown(r);
  CHECK(!has(xml, "<b>"));
  CHECK(has(xml, "a&quot;&lt;b&gt;&amp;amp;|*_`"));
  CHECK(!has(markdown, "<b>"));
  CHECK(!has(markdown, "`"));
  CHECK(!has(markdown, "*_"));
}

TEST_CASE("report: an inconclusive verdict that failed is told as that by all") {
  Report r = sample_report();
  r.verdicts[0].inconclusive = true;
  CHECK(has(to_markdown(r), "| **FAILED (inconclusive)** |"));
  CHECK(has(to_junit(r), "<failure message=\"inconclusive: p99"));
  CHECK(has(to_github_errors(r), "p99(latency) > 10ms: inconclusive: p99"));
  r.verdicts[0].failed = false;
  CHECK(has(to_markdown(r), "| inconclusive |"));
  CHECK(has(to_junit(r), "<skipped message=\"inconclusive: p99"));
  CHECK(to_github_errors(r).empty());
}

TEST_CASE("report: what its verdicts were computed from comes back") {
  Report r = sample_report();
  r.where = {"pid > \"\n\""};
  r.by = {"comm"};
  Sketch values{"comm \"x\"\t", "latency_ms", 0, 0, {}};
  for (int i = 0; i < 1000; ++i) values.values.observe(i * 1e5 - 3e6);
  r.sketches = {values, {"", "share(pid>3)", 10, 4, {}}};
  const std::string text = to_json(r);
  REQUIRE(replay::begins_report(text));
  CHECK(!replay::begins_report("{\"type\":\"connect\"}\n"));
  const auto again = replay::read_report(text);
  REQUIRE(again.ok());
  CHECK(again->tool == "tcpconnect");
  CHECK(again->duration.ns == 1'500'000'000);
  CHECK(again->lost == 9);
  CHECK(again->where == r.where);
  CHECK(again->by == r.by);
  REQUIRE(again->sketches.size() == 2);
  const Sketch& kept = again->sketches[0];
  CHECK(kept.group == values.group);
  CHECK(kept.of == "latency_ms");
  for (const double q : {0.01, 0.5, 0.99, 1.0}) CHECK(kept.values.quantile(q) == values.values.quantile(q));
  CHECK(kept.values.sum() == values.values.sum());
  CHECK(kept.values.filled() == values.values.filled());
  CHECK(again->sketches[1].rows == 10);
  CHECK(again->sketches[1].held == 4);
  for (std::size_t size = 0; size + 3 < text.size(); size += 7)
    CHECK(!replay::read_report(text.substr(0, size)).ok());
  std::string changed = text;
  changed.replace(changed.find("\"count\": 1000"), 13, "\"count\": 1001");
  CHECK(!replay::read_report(changed).ok());
}

TEST_CASE("report: a line for each failure of a GitHub job, and no line of its own in a name") {
  Report r = sample_report();
  r.verdicts[0].expression = "share(comm == \"\n::set-output\") > 5%";
  const std::string text = to_github_errors(r);
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(has(text, "> 5%25: p99"));
  CHECK(text.starts_with("::error title=plumb tcpconnect::share"));
}
