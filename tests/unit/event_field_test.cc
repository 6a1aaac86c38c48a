#include "event/field.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <type_traits>

#include "sample_event.h"

using namespace plumb;

namespace {

struct Point {
  int x = 0;
};
Value get_x(const Point& p) {
  return std::int64_t{p.x};
}

constexpr std::string_view kColours[] = {"red", "green"};
constexpr std::string_view kOther[] = {"blue"};

constexpr FieldSpec kGood{.key = "x", .heading = "X", .type = FieldType::integer, .help = "x."};

constexpr FieldSpec with(FieldSpec spec, auto change) {
  change(spec);
  return spec;
}

consteval bool valid(FieldSpec spec) {
  return valid_fields(std::array<Field<Point>, 1>{{{spec, get_x}}});
}

// What a wrong table looks like: each of these stops the build of a tool that declares it.
static_assert(valid(kGood));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.key = ""; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.key = "camelCase"; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.key = "9lives"; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.heading = ""; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.help = ""; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.types = 0; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.type = FieldType::duration; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.key = "latency_ms"; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.key = "tx_bytes"; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.type = FieldType::enumeration; })));
static_assert(!valid(with(kGood, [](FieldSpec& f) { f.values = kColours; })));
static_assert(valid(with(kGood, [](FieldSpec& f) {
  f.type = FieldType::enumeration;
  f.values = kColours;
  f.alerts = std::span(kColours).first(1);
})));
static_assert(!valid(with(kGood, [](FieldSpec& f) {
  f.type = FieldType::enumeration;
  f.values = kColours;
  f.alerts = kOther;
})));
static_assert(!valid_fields(std::array<Field<Point>, 2>{{{kGood, get_x}, {kGood, get_x}}}));
static_assert(!std::is_default_constructible_v<Getter<Point>>);
static_assert(!std::is_constructible_v<Getter<Point>, std::nullptr_t>);

}  // namespace

TEST_CASE("a schema finds fields by key") {
  const Schema& schema = sample::kSchema;
  CHECK(schema.size() == sample::kFields.size());
  for (std::size_t i = 0; i < schema.size(); ++i) CHECK(schema.find(schema.spec(i).key) == i);
  CHECK(schema.find("nothing") == Schema::npos);
  CHECK(schema.find("") == Schema::npos);
}

TEST_CASE("a row reads its event through the schema") {
  sample::Event event{.type = sample::kFinish, .pid = 42, .comm = "curl", .size = 7};
  const Row row(sample::kSchema, event);
  const Schema& schema = sample::kSchema;
  CHECK(std::get<std::uint64_t>(row.get(schema.find("pid"))) == 42);
  CHECK(std::get<std::string_view>(row.get(schema.find("comm"))).data() ==
        event.comm.data());  // a view, no copy
  CHECK(std::holds_alternative<None>(row.get(schema.find("latency_ms"))));
  CHECK(schema.types()[row.type()] == "finish");
}

TEST_CASE("which lines carry a field") {
  const std::size_t size = sample::kSchema.find("size_bytes");
  const sample::Event begin{.type = sample::kBegin};
  const sample::Event finish{.type = sample::kFinish};
  CHECK_FALSE(Row(sample::kSchema, begin).carries(size));
  CHECK(Row(sample::kSchema, finish).carries(size));
  CHECK(Row(sample::kSchema, begin).carries(0));
}

TEST_CASE("an unknown becomes None, a known zero does not") {
  CHECK(std::holds_alternative<None>(text_or_none("")));
  CHECK(std::holds_alternative<None>(name_or_none("")));
  CHECK(std::holds_alternative<None>(address_or_none({})));
  const std::uint8_t zero[4] = {};
  CHECK(std::holds_alternative<IpAddress>(address_or_none(IpAddress::v4(zero))));
}
