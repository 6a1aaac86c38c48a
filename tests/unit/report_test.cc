// Reports: what each format gives a meaning to never comes from a name.
#include "report/report.h"

#include <doctest/doctest.h>

#include <string>

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

TEST_CASE("report: a line for each failure of a GitHub job, and no line of its own in a name") {
  Report r = sample_report();
  r.verdicts[0].expression = "share(comm == \"\n::set-output\") > 5%";
  const std::string text = to_github_errors(r);
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(has(text, "> 5%25: p99"));
  CHECK(text.starts_with("::error title=plumb tcpconnect::share"));
}
