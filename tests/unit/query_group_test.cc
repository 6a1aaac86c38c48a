// Groups: their keys, the summary by any field, thresholds for each.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "query/group_key.h"
#include "query/group_summary.h"
#include "query/histogram_summary.h"
#include "query/judge.h"
#include "query/sorted_summary.h"
#include "sample_event.h"

using namespace plumb;
using sample::Event;

namespace {

std::vector<std::size_t> fields(const std::vector<std::string>& keys) {
  auto f = group_fields(sample::kSchema, keys);
  REQUIRE(f);
  return *f;
}

std::vector<Event> three() {
  std::vector<Event> v(3);
  v[0].comm = v[1].comm = "a";
  v[2].comm = "b\n";
  v[0].latency = Duration{10};
  v[1].latency = Duration{30};
  v[1].outcome = "refused";
  v[2].type = sample::kFinish;
  v[2].size = 7;
  return v;
}

bool same(const Value& a, const Value& b) {
  return a.index() == b.index() && std::visit(
                                       [&](const auto& v) {
                                         using T = std::decay_t<decltype(v)>;
                                         if constexpr (std::is_same_v<T, TextList>)
                                           return false;
                                         else
                                           return v == std::get<T>(b);
                                       },
                                       a);
}

Value cell(const Row& row, std::string_view key) {
  const std::size_t i = row.schema().find(key);
  REQUIRE(i != Schema::npos);
  return row.get(i);
}

}  // namespace

TEST_CASE("groups: a key gives back the values of every kind of field, and differs where one does") {
  const GroupFields by(sample::kSchema, fields({"time", "type", "pid", "comm", "delta", "ratio", "cached",
                                                "outcome", "peer", "latency_ms", "path"}));
  Event e;
  e.time = UnixTime{5};
  e.pid = 7;
  e.comm = std::string_view("x\0y", 3);
  e.delta = -3;
  e.ratio = 0.5;
  e.cached = true;
  e.outcome = sample::kOutcomes[1];
  const std::uint8_t v6[16] = {0x20, 0x01, 15};
  e.peer = IpAddress::v6(v6);
  e.latency = Duration{9};
  std::string key;
  by.key_of(Row(sample::kSchema, e), key);
  const std::vector<Value> values = by.values_of(key);
  REQUIRE(values.size() == by.size());
  for (std::size_t i = 0; i < by.size(); ++i) {
    INFO(by.spec(i).key);
    CHECK(same(values[i], Row(sample::kSchema, e).get(sample::kSchema.find(by.spec(i).key))));
  }
  std::string other;
  e.comm = std::string_view("x\0z", 3);
  by.key_of(Row(sample::kSchema, e), other);
  CHECK(key != other);
}

TEST_CASE("groups: what stands behind an address, an IPv4 one too, is found again") {
  const GroupFields by(sample::kSchema, fields({"peer", "comm"}));
  const std::uint8_t v4[4] = {192, 0, 2, 7};
  const std::uint8_t v6[16] = {0xfd, 1};
  for (const IpAddress& peer : {IpAddress::v4(v4), IpAddress::v6(v6), IpAddress{}}) {
    Event e;
    e.comm = "curl";
    e.peer = peer;
    std::string key;
    by.key_of(Row(sample::kSchema, e), key);
    const std::vector<Value> values = by.values_of(key);
    REQUIRE(values.size() == 2);
    CHECK(same(values[0], address_or_none(peer)));
    CHECK(same(values[1], Value{std::string_view("curl")}));
    CHECK(by.text_of(key).ends_with("comm curl"));
  }
}

TEST_CASE("groups: an unknown field has near names, a list is refused") {
  const auto unknown = group_fields(sample::kSchema, {"com"});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().hint == "did you mean comm?");
  CHECK_FALSE(group_fields(sample::kSchema, {"tags"}));
  CHECK(fields({"latency", "latency_ms"}).size() == 1);
}

TEST_CASE("group summary: counts, failures, quantiles and sizes, the most frequent group first") {
  const auto summary = make_group_summary({sample::kSchema, fields({"comm"})});
  for (const Event& e : three()) summary->add(Row(sample::kSchema, e));
  std::vector<std::string> seen;
  summary->finish([&](const Row& row) {
    seen.emplace_back(std::get<std::string_view>(cell(row, "comm")));
    if (seen.size() == 1) {
      CHECK(same(cell(row, "count"), Value{std::uint64_t{2}}));
      CHECK(same(cell(row, "failed"), Value{std::uint64_t{1}}));
      CHECK(same(cell(row, "latency_max_ms"), Value{Duration{30}}));
      CHECK(same(cell(row, "latency_p50_ms"), Value{Duration{10}}));
      CHECK(same(cell(row, "size_bytes"), Value{std::uint64_t{0}}));
    } else {
      CHECK(same(cell(row, "latency_p99_ms"), Value{None{}}));
      CHECK(same(cell(row, "size_bytes"), Value{std::uint64_t{7}}));
    }
    return true;
  });
  CHECK(seen == std::vector<std::string>{"a", "b\n"});
}

TEST_CASE("group summary: what has no room is one row more, and nothing is lost") {
  const auto summary = make_group_summary({sample::kSchema, fields({"pid", "comm"})});
  Event e;
  for (std::size_t i = 0; i < kMaxGroups + 10; ++i) {
    e.pid = i + 1;
    summary->add(Row(sample::kSchema, e));
  }
  std::size_t rows = 0;
  std::uint64_t count = 0;
  Value last;
  std::string name;
  summary->finish([&](const Row& row) {
    ++rows;
    count += std::get<std::uint64_t>(cell(row, "count"));
    last = cell(row, "pid");
    const Value comm = cell(row, "comm");
    name = std::holds_alternative<None>(comm) ? "" : std::string(std::get<std::string_view>(comm));
    return true;
  });
  CHECK(rows == kMaxGroups + 1);
  CHECK(count == kMaxGroups + 10);
  CHECK(std::holds_alternative<None>(last));
  CHECK(name == "(other)");
}

TEST_CASE("judge: with groups each is judged by its own rows, and named") {
  auto judge = Judge::compile({"max(latency) > 20ns", "count > 1"}, sample::kSchema, fields({"comm"}));
  REQUIRE(judge);
  for (const Event& e : three()) judge->observe(Row(sample::kSchema, e));
  const auto verdicts = judge->evaluate(Duration{1'000'000'000});
  REQUIRE(verdicts.size() == 4);
  CHECK(verdicts[0].group == "comm a");
  CHECK(verdicts[0].verdict.holds);
  CHECK(verdicts[1].group == "comm b\\n");
  CHECK_FALSE(verdicts[1].verdict.holds);
  CHECK(verdicts[2].verdict.holds);
  CHECK_FALSE(verdicts[3].verdict.holds);
}

TEST_CASE("judge: without a row there is no group, and count is still 0") {
  auto judge = Judge::compile({"count == 0"}, sample::kSchema, fields({"comm"}));
  REQUIRE(judge);
  const auto verdicts = judge->evaluate(Duration{1});
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].group.empty());
  CHECK(verdicts[0].verdict.holds);
}

TEST_CASE("a summary sorted by one of its fields: numbers the largest first, texts from A, unknown last") {
  const auto order = [](std::string_view key) {
    auto sorted = sort_summary(make_group_summary({sample::kSchema, fields({"comm"})}), key);
    REQUIRE(sorted);
    for (const auto& [comm, ms] : {std::pair{"b", 30}, {"b", 30}, {"a", 90}, {"c", 0}}) {
      Event e;
      e.comm = comm;
      if (ms != 0) e.latency = Duration{ms * 1'000'000};
      (*sorted)->add(Row(sample::kSchema, e));
    }
    std::string names;
    (*sorted)->finish([&](const Row& row) {
      names += std::get<std::string_view>(cell(row, "comm"));
      return true;
    });
    return names;
  };
  CHECK(order("count") == "bac");
  CHECK(order("comm") == "abc");
  CHECK(order("latency_p99_ms") == "abc");
  const auto wrong = sort_summary(make_group_summary({sample::kSchema, fields({"comm"})}), "cuont");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().hint == "did you mean count?");
}

TEST_CASE("histogram: each latency in its bucket, edges in the upper one, unknown ones counted apart") {
  const auto rows = fields({"comm"});
  auto summary = with_histogram(make_group_summary({sample::kSchema, rows}), sample::kSchema,
                                TypeMask{1} << sample::kBegin);
  for (const std::int64_t ns : {0L, 999L, 1'000L, 1'999L, 2'000L, 999'999'999L, 1'000'000'000'000L, -1L}) {
    Event e;
    e.type = sample::kBegin;
    e.latency = ns < 0 ? std::nullopt : std::optional(Duration{ns});
    summary->add(Row(sample::kSchema, e));
    e.type = sample::kFinish;  // not counted
    summary->add(Row(sample::kSchema, e));
  }
  const std::string text = summary->below(0);
  INFO(text);
  const auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  CHECK(has("    0 - 1us            2   28.6%  ####"));
  CHECK(has("  1us - 2us            2   57.1%  ####"));
  CHECK(has("  2us - 5us            1   71.4%  ####"));
  CHECK(has("\n   ...\n500ms"));
  CHECK_FALSE(has("5us - 10us"));
  CHECK(has("500ms - 1s             1   85.7%  ####"));
  CHECK(has("1000s -                1  100.0%  ####"));
  CHECK(has("\n7 rows; 1 more without a latency\n"));
  for (const std::size_t columns : {1UL, 34UL, 44UL, 60UL, 200UL}) {
    const std::string narrow = summary->below(columns);
    for (std::size_t at = 0; at < narrow.size() && columns >= 44; at = narrow.find('\n', at) + 1)
      CHECK(narrow.find('\n', at) - at <= columns);
  }
}

TEST_CASE("histogram: of nothing is a heading") {
  auto summary =
      with_histogram(make_group_summary({sample::kSchema, fields({"comm"})}), sample::kSchema, kAllTypes);
  CHECK(summary->below(80).find("\n0 rows\n") != std::string::npos);
}
