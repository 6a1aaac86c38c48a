#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "query/groups.h"
#include "tests/sample_event.h"

using namespace plumb;
using sample::Event;
using sample::kSchema;

namespace {

void observe(Groups& groups, const Event& e) {
  groups.observe(Row(kSchema, e));
}

Event event(std::string_view comm, std::string_view outcome = {}, std::int64_t latency_ns = -1) {
  Event e;
  e.comm = comm;
  e.outcome = outcome;
  if (latency_ns >= 0) e.latency = Duration{latency_ns};
  return e;
}

std::string text_of(const Group& g, std::size_t i = 0) {
  const Value v = g.keys.at(i).view();
  if (const auto* s = std::get_if<std::string_view>(&v)) return std::string(*s);
  if (const auto* n = std::get_if<Name>(&v)) return std::string(n->text);
  if (const auto* u = std::get_if<std::uint64_t>(&v)) return std::to_string(*u);
  return std::holds_alternative<None>(v) ? "-" : "?";
}

std::string names(const std::vector<const Group*>& groups) {
  std::string s;
  for (const Group* g : groups) s += (s.empty() ? "" : " ") + text_of(*g);
  return s;
}

GroupBy by(const std::vector<std::string_view>& keys, const std::vector<std::string_view>& measures = {},
           std::size_t limit = 1000) {
  GroupBy b;
  for (const auto k : keys) b.keys.push_back(kSchema.find(k));
  for (const auto m : measures) b.measures.push_back(kSchema.find(m));
  b.limit = limit;
  return b;
}

}  // namespace

TEST_CASE("groups: counts, failures and quantiles of each") {
  Groups groups(kSchema, by({"comm"}, {"latency_ms"}));
  observe(groups, event("curl", "done", 10'000'000));
  observe(groups, event("curl", "refused", 30'000'000));
  observe(groups, event("curl"));
  observe(groups, event("wget", "done", 5));
  observe(groups, event(""));
  REQUIRE(groups.size() == 3);
  CHECK(groups.rows() == 5);
  CHECK(groups.other().count == 0);
  const auto sorted = groups.sorted({});
  CHECK(names(sorted).starts_with("curl "));
  const Group& curl = *sorted[0];
  CHECK(curl.count == 3);
  CHECK(curl.judged == 2);
  CHECK(curl.failed == 1);
  CHECK(*curl.share_failed() == 0.5);
  CHECK(curl.measures[0].count() == 2);
  CHECK(*curl.measures[0].max() == 30'000'000);
  for (const Group* g : sorted) {
    if (text_of(*g) == "-") CHECK_FALSE(g->share_failed().has_value());
    if (text_of(*g) == "wget") CHECK(*g->share_failed() == 0);
  }
}

TEST_CASE("groups: keys outlive their events") {
  Groups groups(kSchema, by({"comm", "path", "tags"}));
  {
    std::string comm = "a name long enough to need its own memory";
    std::string path = "/and/another/such/text/of/many/characters";
    std::vector<std::string_view> tags = {comm, path};
    Event e = event(comm);
    e.path = path;
    e.tags = TextList(tags);
    observe(groups, e);
    comm.assign(comm.size(), 'x');
    path.assign(path.size(), 'x');
  }
  const Group& g = *groups.sorted({}).at(0);
  CHECK(text_of(g, 0) == "a name long enough to need its own memory");
  CHECK(text_of(g, 1) == "/and/another/such/text/of/many/characters");
  CHECK(text_of(g, 2) == text_of(g, 0) + ", " + text_of(g, 1));
}

TEST_CASE("groups: different values never share a group") {
  Groups groups(kSchema, by({"comm", "path"}));
  const auto two = [&](std::string_view comm, std::optional<std::string_view> path) {
    Event e = event(comm);
    e.path = path;
    observe(groups, e);
  };
  two("ab", "c");
  two("a", "bc");
  two("abc", "");
  two("abc", std::nullopt);  // unknown is not empty
  two("", "abc");
  two("ab", "c");
  CHECK(groups.size() == 5);
  two("a\x05"
      "b",
      "");  // \x05 is how text is tagged in an encoded key
  two("a", "b\x05");
  CHECK(groups.size() == 7);
  Groups addresses(kSchema, by({"peer"}));
  for (const char* text : {"1.2.3.4", "102:304::", "::ffff:1.2.3.4"}) {
    Event e;
    e.peer = *IpAddress::parse(text);
    observe(addresses, e);
  }
  CHECK(addresses.size() == 2);
}

TEST_CASE("groups: a field that the line does not carry is unknown") {
  Groups groups(kSchema, by({"size_bytes"}, {"size_bytes"}));
  Event e;
  e.size = 7;  // of a type that has no size
  observe(groups, e);
  e.type = sample::kFinish;
  observe(groups, e);
  REQUIRE(groups.size() == 2);
  for (const Group* g : groups.sorted({})) CHECK(g->measures[0].count() == (text_of(*g) == "-" ? 0 : 1));
}

TEST_CASE("groups: without keys all rows are one group") {
  Groups groups(kSchema, by({}, {"latency_ms"}));
  CHECK(groups.sorted({}).empty());
  for (int i = 0; i < 5; ++i) observe(groups, event("a", "done", i));
  REQUIRE(groups.size() == 1);
  CHECK(groups.sorted({})[0]->count == 5);
}

TEST_CASE("groups: beyond the limit rows are counted in other, and none is lost") {
  Groups groups(kSchema, by({"pid"}, {"latency_ms"}, 10));
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    Event e = event("a", random() % 2 == 0 ? "done" : "timeout", 1000);
    e.pid = random() % 500;
    observe(groups, e);
  }
  CHECK(groups.size() == 10);
  std::uint64_t count = groups.other().count;
  std::uint64_t judged = groups.other().judged;
  std::uint64_t measured = groups.other().measures[0].count();
  CHECK(count > 9000);
  CHECK(groups.other().keys.empty());
  for (const Group* g : groups.sorted({})) {
    count += g->count;
    judged += g->judged;
    measured += g->measures[0].count();
  }
  CHECK(count == 10'000);
  CHECK(judged == 10'000);
  CHECK(measured == 10'000);
  CHECK(groups.rows() == 10'000);
}

TEST_CASE("groups: every order, unknown last, equal ones in the same order each time") {
  Groups groups(kSchema, by({"comm"}, {"latency_ms"}));
  for (int i = 0; i < 3; ++i) observe(groups, event("aa", "done", 100));
  for (int i = 0; i < 2; ++i) observe(groups, event("bb", "refused", 300));
  observe(groups, event("cc", "done", 900));
  observe(groups, event("dd"));
  using By = GroupOrder::By;
  CHECK(names(groups.sorted({.by = By::count})) == "aa bb cc dd");
  CHECK(names(groups.sorted({.by = By::count, .ascending = true})) == "cc dd bb aa");
  CHECK(names(groups.sorted({.by = By::failed}, 1)) == "bb");
  CHECK(names(groups.sorted({.by = By::share_failed})) == "bb aa cc dd");
  CHECK(names(groups.sorted({.by = By::share_failed, .ascending = true})) == "aa cc bb dd");
  CHECK(names(groups.sorted({.by = By::quantile})) == "cc bb aa dd");
  CHECK(names(groups.sorted({.by = By::quantile, .ascending = true})) == "aa bb cc dd");
  CHECK(names(groups.sorted({.by = By::max})) == "cc bb aa dd");
  CHECK(names(groups.sorted({.by = By::sum})) == "cc bb aa dd");
  CHECK(names(groups.sorted({.by = By::recent})) == "aa bb cc dd");
  CHECK(groups.sorted({.by = By::quantile, .measure = 7}).size() == 4);  // no such measure: all unknown
  groups.next_interval();
  observe(groups, event("dd"));
  CHECK(names(groups.sorted({.by = By::recent}, 1)) == "dd");
  CHECK(names(groups.sorted({.by = By::previous}, 1)) == "aa");
}

TEST_CASE("groups: idle ones make room and stay in the totals") {
  GroupBy b = by({"comm"}, {"latency_ms"}, 2);
  b.forget_after = 2;
  Groups groups(kSchema, b);
  observe(groups, event("old", "refused", 50));
  observe(groups, event("busy", "done", 60));
  observe(groups, event("late"));  // no room
  CHECK(groups.other().count == 1);
  groups.next_interval();  // `old` had a row in this one
  for (int i = 0; i < 2; ++i) {
    CHECK(groups.size() == 2);
    observe(groups, event("busy"));
    groups.next_interval();
  }
  CHECK(groups.size() == 1);
  CHECK(groups.other().count == 2);
  CHECK(groups.other().failed == 1);
  CHECK(*groups.other().measures[0].max() == 50);
  observe(groups, event("late"));
  CHECK(names(groups.sorted({.by = GroupOrder::By::recent})) == "late busy");
  CHECK(groups.rows() == 6);
}

TEST_CASE("groups: durations and sizes are measured by default") {
  const auto fields = Groups::default_measures(kSchema);
  REQUIRE(fields.size() == 2);
  CHECK(kSchema.spec(fields[0]).key == "latency_ms");
  CHECK(kSchema.spec(fields[1]).key == "size_bytes");
}
