// What the golden tests cannot say: edges of single values, how a table fits a terminal, choosing columns.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "sample_event.h"
#include "sink/cell.h"
#include "sink/formats.h"
#include "sink/port_names.h"

using namespace plumb;
using sample::Event;

namespace {

std::string duration(std::int64_t ns) {
  std::string out;
  append_human_duration(out, {ns});
  return out;
}
std::string bytes(std::uint64_t n) {
  std::string out;
  append_human_bytes(out, n);
  return out;
}
std::string rfc3339(std::int64_t ns) {
  std::string out;
  append_rfc3339(out, {ns});
  return out;
}

std::string json_line(const Event& event) {
  Output output = Output::memory();
  auto sink = make_json_sink(sample::kSchema, output);
  CHECK(sink->row(Row(sample::kSchema, event)).ok());
  return output.buffer();
}
// The text of one member, as it was written.
std::string member(const Event& event, const std::string& key) {
  const std::string line = json_line(event);
  const std::size_t at = line.find("\"" + key + "\":");
  REQUIRE(at != std::string::npos);
  const std::size_t begin = at + key.size() + 3;
  return line.substr(begin, line.find_first_of(",}", begin) - begin);
}

std::vector<std::string> table_lines(const std::vector<Event>& events, TableStyle style) {
  Output output = Output::memory();
  auto sink = make_table_sink(sample::kSchema, output, std::move(style));
  CHECK(sink->begin().ok());
  for (const Event& e : events) CHECK(sink->row(Row(sample::kSchema, e)).ok());
  std::vector<std::string> lines;
  std::string_view rest = output.buffer();
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return lines;
}

TableStyle shown_columns() {
  TableStyle style;
  style.time = TableStyle::Time::utc;
  style.columns = *choose_columns(sample::kSchema, {}, false);
  return style;
}

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

}  // namespace

TEST_CASE("durations have three significant digits at every size") {
  CHECK(duration(0) == "0ns");
  CHECK(duration(999) == "999ns");
  CHECK(duration(1'000) == "1.00us");
  CHECK(duration(83'412) == "83.4us");
  CHECK(duration(999'499) == "999us");
  CHECK(duration(999'500) == "1.00ms");
  CHECK(duration(1'200'000) == "1.20ms");
  CHECK(duration(9'994'999) == "9.99ms");
  CHECK(duration(9'995'000) == "10.0ms");
  CHECK(duration(99'950'000) == "100ms");
  CHECK(duration(3'100'000'000) == "3.10s");
  CHECK(duration(999'499'999'999) == "999s");
  CHECK(duration(999'500'000'000) == "16m40s");
  CHECK(duration(3'600'000'000'000) == "1h00m");
  CHECK(duration(90'061'000'000'000) == "1d01h");
  CHECK(duration(kMax) == "106751d23h");
  CHECK(duration(-1'500'000) == "-1.50ms");
  CHECK(duration(kMin) == "-106751d23h");
}

TEST_CASE("bytes are as ls -h prints them, to the nearest") {
  CHECK(bytes(0) == "0");
  CHECK(bytes(1023) == "1023");
  CHECK(bytes(1024) == "1.0K");
  CHECK(bytes(1229) == "1.2K");
  CHECK(bytes(10 * 1024 - 1) == "10K");
  CHECK(bytes(10 * 1024) == "10K");
  CHECK(bytes(1023 * 1024) == "1023K");
  CHECK(bytes(1024 * 1024 - 1) == "1.0M");
  CHECK(bytes(1'500'000'000) == "1.4G");
  CHECK(bytes(std::numeric_limits<std::uint64_t>::max()) == "16E");
}

TEST_CASE("RFC 3339 with nanoseconds, over all that 64 bits hold") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00.000000000Z");
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999999999Z");
  CHECK(rfc3339(951'782'400'000'000'001) == "2000-02-29T00:00:00.000000001Z");
  CHECK(rfc3339(4'107'542'399'123'456'789) == "2100-02-28T23:59:59.123456789Z");
  CHECK(rfc3339(4'107'542'400'000'000'000) == "2100-03-01T00:00:00.000000000Z");  // 2100 has no leap day
  CHECK(rfc3339(kMax) == "2262-04-11T23:47:16.854775807Z");
  CHECK(rfc3339(kMin) == "1677-09-21T00:12:43.145224192Z");
}

TEST_CASE("RFC 3339 agrees with the C library on every day of 400 years") {
  for (std::time_t t = -86'400LL * 100'000; t < 86'400LL * 100'000; t += 86'400 - 1) {
    std::tm utc{};
    gmtime_r(&t, &utc);
    char expected[32];
    std::strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &utc);
    const std::string got = rfc3339(t * 1'000'000'000);
    if (got.substr(0, 19) != expected) CHECK(got == expected);
  }
  CHECK(rfc3339(86'399'000'000'000).substr(0, 19) == "1970-01-01T23:59:59");
}

TEST_CASE("JSON durations are exact milliseconds") {
  const auto ms = [](std::int64_t ns) { return member({.latency = Duration{ns}}, "latency_ms"); };
  CHECK(ms(0) == "0");
  CHECK(ms(1) == "0.000001");
  CHECK(ms(83'412) == "0.083412");
  CHECK(ms(1'200'000) == "1.2");
  CHECK(ms(12'000'000) == "12");
  CHECK(ms(-500'000) == "-0.5");
  CHECK(ms(kMax) == "9223372036854.775807");
  CHECK(ms(kMin) == "-9223372036854.775808");
}

TEST_CASE("JSON numbers: integers stay integers, what is no number is null") {
  CHECK(member({.pid = std::numeric_limits<std::uint64_t>::max()}, "pid") == "18446744073709551615");
  CHECK(member({.delta = kMin}, "delta") == "-9223372036854775808");
  CHECK(member({.ratio = std::nan("")}, "ratio") == "null");
  CHECK(member({.ratio = -HUGE_VAL}, "ratio") == "null");
  CHECK(member({.ratio = 0.1}, "ratio") == "0.1");
  CHECK(member({.ratio = -0.0}, "ratio") == "-0");
  for (double d : {1e300, -1.7976931348623157e308, 5e-324, 1.0, 123456789.125}) {
    CHECK(nlohmann::json::parse(json_line({.ratio = d}))["ratio"].get<double>() == d);
  }
}

TEST_CASE("a JSON line has the keys of its type in the order of the table, whatever is known") {
  const auto keys = [](const Event& e) {
    std::vector<std::string> names;
    const auto line = nlohmann::ordered_json::parse(json_line(e));
    for (const auto& [key, value] : line.items()) names.push_back(key);
    return names;
  };
  std::vector<std::string> finish;
  for (const auto& field : sample::kFields) finish.emplace_back(field.spec.key);
  std::vector<std::string> begin = finish;
  std::erase(begin, "size_bytes");
  CHECK(keys({.type = sample::kFinish}) == finish);
  CHECK(keys({.type = sample::kBegin}) == begin);
  CHECK(keys({.type = sample::kBegin, .pid = 1, .comm = "x", .ratio = 1.0}) == begin);
}

TEST_CASE("a JSON line is whole however long its texts are, and whatever must be escaped in them") {
  for (const std::size_t size : {1U, 61U, 62U, 63U, 64U, 65U, 500U, 2'000U, 2'048U, 5'000U}) {
    for (const char last : {'x', '"'}) {
      std::string text(size - 1, 'a');
      text += last;
      const std::string_view tags[] = {text, "b", text};
      CAPTURE(size);
      const auto line = nlohmann::json::parse(json_line({.comm = text, .tags = tags}));
      CHECK(line["comm"] == text);
      CHECK(line["tags"] == nlohmann::json({text, "b", text}));
    }
  }
}

TEST_CASE("a lost line has exactly its three keys") {
  Output output = Output::memory();
  auto sink = make_json_sink(sample::kSchema, output);
  CHECK(sink->lost({UnixTime{0}, 12, "the \"ring buffer\" was full"}).ok());
  CHECK(output.buffer() == "{\"type\":\"lost\",\"time\":\"1970-01-01T00:00:00.000000000Z\",\"count\":12}\n");
}

TEST_CASE("a longer value widens its own line only, and later columns catch up") {
  const auto lines = table_lines({{.pid = 1, .comm = "a", .outcome = "done"},
                                  {.pid = 1, .comm = "a-name-longer-than-its-column", .outcome = "done"},
                                  {.pid = 1, .comm = "a", .outcome = "done"}},
                                 shown_columns());
  REQUIRE(lines.size() == 4);
  CHECK(lines[1] == lines[3]);
  CHECK(lines[2].find("a-name-longer-than-its-column done") != std::string::npos);
  CHECK(lines[2].size() == lines[1].size());  // PEER and what follows stand where they stood
}

TEST_CASE("numbers stand right, text left") {
  TableStyle style;
  style.columns = *choose_columns(sample::kSchema, {"pid", "comm", "latency_ms"}, false);
  const auto lines = table_lines({{.pid = 7, .comm = "sh", .latency = Duration{1'200'000}}}, style);
  CHECK(lines[0] == "    PID  COMM             LATENCY");
  CHECK(lines[1] == "      7  sh                1.20ms");
}

TEST_CASE("what is cut ends in an ellipsis; an address keeps its port") {
  const auto cut = [](std::string text, std::size_t columns) { return shorten(text, columns), text; };
  CHECK(cut("abcdef", 6) == "abcdef");
  CHECK(cut("abcdef", 5) == "abcd\u2026");
  CHECK(cut("abcdef", 1) == "\u2026");
  CHECK(cut("abcdef", 0).empty());
  CHECK(cut("\u65e5\u672c\u8a9e", 4) == "\u65e5\u2026");  // two columns each
  const auto endpoint = [](std::string text, std::size_t columns) {
    return shorten_endpoint(text, columns), text;
  };
  CHECK(endpoint("192.0.2.255:443", 15) == "192.0.2.255:443");
  CHECK(endpoint("192.0.2.255:443", 12) == "192.0.2\u2026:443");
  CHECK(endpoint("[2001:db8:1111::1]:65535", 17) == "[2001:db8\u2026]:65535");
  CHECK(endpoint("[2001:db8:1111::1]:65535", 5) == "[200\u2026");
  CHECK(endpoint("2001:db8:1111::1", 8) == "2001:db\u2026");
  CHECK(endpoint("-:443", 5) == "-:443");
}

TEST_CASE("a date and a zone") {
  CellWriter cells(TableStyle::Time::iso, {});
  std::string text;
  CHECK(cells.append(text, FieldType::time, UnixTime{951'782'400'123'000'000}) == cells.time_width());
  CHECK(text.size() == 29);
  char offset[29];
  write_iso_time(offset, {951'782'400'123'000'000}, -12'600);
  CHECK(std::string_view(offset, 29) == "2000-02-28T20:30:00.123-03:30");
}

TEST_CASE("a resized terminal gets another layout and a header") {
  std::size_t columns = 200;
  TableStyle style = shown_columns();
  style.terminal_columns = columns;
  style.size = [&] { return std::pair(columns, std::size_t{50}); };
  Output output = Output::memory();
  const auto sink = make_table_sink(sample::kSchema, output, style);
  CHECK(sink->begin().ok());
  columns = 60;
  CHECK(sink->flush().ok());
  output.buffer().clear();
  const Event e{.pid = 1, .comm = "a-name-longer-than-its-column", .outcome = "done"};
  CHECK(sink->row(Row(sample::kSchema, e)).ok());
  CHECK(output.buffer().find("COMM") < output.buffer().find('\n'));
  CHECK(display_width(std::string_view(output.buffer()).substr(0, output.buffer().find('\n'))) <= 60);
}

TEST_CASE("wide characters keep columns aligned") {
  TableStyle style;
  style.columns = *choose_columns(sample::kSchema, {"comm", "outcome"}, false);
  const auto lines =
      table_lines({{.comm = "\u65e5\u672c", .outcome = "done"}, {.comm = "abcd", .outcome = "done"}}, style);
  CHECK(display_width(lines[1]) == display_width(lines[2]));
}

TEST_CASE("a line of usual values fits the terminal where it can") {
  const std::vector<Event> usual{{.time = {},
                                  .pid = 4242,
                                  .comm = "nginx",
                                  .outcome = "done",
                                  .peer = *IpAddress::parse("10.0.0.1"),
                                  .latency = Duration{1'000'000}}};
  const std::size_t natural = table_lines(usual, shown_columns())[0].size();
  for (std::size_t room : {natural, natural - 1, natural - 6, natural - 20, std::size_t{64}}) {
    TableStyle style = shown_columns();
    style.terminal_columns = room;
    CAPTURE(room);
    for (const std::string& line : table_lines(usual, style)) CHECK(line.size() <= room);
  }
}

TEST_CASE("nothing is cut where the columns were chosen, however narrow the terminal") {
  TableStyle style = shown_columns();
  style.terminal_columns = 10;
  style.chosen = true;
  const std::string address = "2001:db8:1111:2222:3333:4444:5555:6666";
  const auto lines = table_lines({{.comm = "a-rather-long-name", .peer = *IpAddress::parse(address)}}, style);
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].find(address) != std::string::npos);
  CHECK(lines[1].find("a-rather-long-name") != std::string::npos);
}

TEST_CASE("the header comes again when a screen is full, wrapped lines counted") {
  TableStyle style;
  style.terminal_rows = 4;
  style.terminal_columns = 20;
  style.chosen = true;
  style.columns = *choose_columns(sample::kSchema, {"comm", "peer"}, false);
  const auto headers = [&](std::string_view comm) {
    std::size_t n = 0;
    for (const auto& line : table_lines(std::vector<Event>(9, Event{.comm = comm}), style))
      n += line.starts_with("COMM") ? 1 : 0;
    return n;
  };
  CHECK(headers("short") == 3);                           // 1 + 3 lines a screen
  CHECK(headers("thirty-characters-that-wrap-01") == 5);  // 1 + 2 * 2 lines a screen
  style.terminal_rows = 0;
  CHECK(headers("short") == 1);
}

TEST_CASE("colour only when it is wanted, and only for headings, alerts and losses") {
  TableStyle style = shown_columns();
  for (const auto& line : table_lines({{.outcome = "refused"}}, style))
    CHECK(line.find('\033') == std::string::npos);
  style.color = true;
  const auto lines = table_lines({{.outcome = "done"}, {.outcome = "refused"}}, style);
  CHECK(lines[0].find("\033[1m") != std::string::npos);
  CHECK(lines[1].find('\033') == std::string::npos);
  CHECK(lines[2].find("\033[31mrefused\033[0m") != std::string::npos);
}

TEST_CASE("no hostile byte reaches the terminal") {
  const std::string hostile = "\x1b]0;owned\x07\xff\u202e\n\x7f";
  const std::string_view tags[] = {hostile, "x"};
  TableStyle style;
  style.columns = *choose_columns(sample::kSchema, {}, true);
  const auto lines = table_lines({{.comm = hostile, .tags = TextList(tags), .path = hostile}}, style);
  REQUIRE(lines.size() == 2);  // the newline made no line
  for (unsigned char c : lines[1]) CHECK((c >= 0x20 && c < 0x7f));
}

TEST_CASE("local times follow the time zone, over a change to summer time") {
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  ::tzset();
  CellWriter cells(TableStyle::Time::local, {});
  const auto at = [&](std::int64_t second) {
    std::string out;
    CHECK(cells.append(out, FieldType::time, UnixTime{second * 1'000'000'000 + 7'999'999}) == kTimeOfDaySize);
    return out;
  };
  CHECK(at(1'774'745'999) == "01:59:59.007");  // 2026-03-29T00:59:59Z
  CHECK(at(1'774'746'000) == "03:00:00.007");
  CHECK(at(1'774'745'999) == "01:59:59.007");  // and back
  ::unsetenv("TZ");
  ::tzset();
}

TEST_CASE("columns: as asked, all, or those that are shown") {
  const Schema& schema = sample::kSchema;
  CHECK(*choose_columns(schema, {"comm", "pid"}, false) ==
        std::vector{schema.find("comm"), schema.find("pid")});
  CHECK(choose_columns(schema, {}, true)->size() == schema.size());
  const std::vector<std::size_t> usual = *choose_columns(schema, {}, false);
  for (std::size_t i : usual) CHECK(schema.spec(i).shown);
  const auto wrong = choose_columns(schema, {"pid", "latncy_ms\x1b"}, false);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().what == "no column is named 'latncy_ms\\x1b'");
  CHECK(wrong.error().hint == "did you mean latency_ms? --list-fields shows them all");
}

namespace {

struct Stack {
  std::span<const std::string_view> frames;
  std::uint64_t count = 0;
};
constexpr std::string_view kStackTypes[] = {"stack"};
constexpr auto kStackFields = std::to_array<Field<Stack>>({
    {{.key = "type",
      .heading = "TYPE",
      .type = FieldType::enumeration,
      .values = kStackTypes,
      .help = "stack."},
     [](const Stack&) -> Value { return Name{kStackTypes[0]}; }},
    {{.key = "stack",
      .heading = "STACK",
      .type = FieldType::list,
      .width = 10,
      .help = "Frames, root first."},
     [](const Stack& s) -> Value { return s.frames; }},
    {{.key = "count",
      .heading = "COUNT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .help = "Samples."},
     [](const Stack& s) -> Value { return s.count; }},
});
static_assert(valid_fields(kStackFields));
std::size_t stack_type(const Stack&) {
  return 0;
}
constexpr Schema kStackSchema = Schema::of<Stack, stack_type>(kStackFields, kStackTypes);

}  // namespace

TEST_CASE("a list is a cell and a JSON array") {
  const std::string_view frames[] = {"main", "operator new(\"x\")"};
  const Stack stack{.frames = frames, .count = 3};
  Output lines = Output::memory();
  CHECK(make_json_sink(kStackSchema, lines)->row(Row(kStackSchema, stack)).ok());
  CHECK(lines.buffer() ==
        "{\"type\":\"stack\",\"stack\":[\"main\",\"operator new(\\\"x\\\")\"],\"count\":3}\n");

  Output table = Output::memory();
  TableStyle style;
  style.columns = {2, 1};
  CHECK(make_table_sink(kStackSchema, table, style)->row(Row(kStackSchema, stack)).ok());
  CHECK(table.buffer() == "    3  main,operator new(\"x\")\n");
}

TEST_CASE("the JSON Schema names each type's keys and no others") {
  const auto root = nlohmann::json::parse(json_schema(sample::kSchema, "sample"));
  CHECK(root["$schema"] == "https://json-schema.org/draft/2020-12/schema");
  REQUIRE(root["oneOf"].size() == 3);
  for (std::size_t type = 0; type < 2; ++type) {
    const auto& branch = root["oneOf"][type];
    const auto line = nlohmann::json::parse(json_line({.type = static_cast<sample::Type>(type)}));
    CHECK(branch["properties"]["type"]["const"] == sample::kTypes[type]);
    CHECK(branch["required"].size() == line.size());
    CHECK(branch["properties"].size() == line.size());
    for (const auto& [key, value] : line.items()) CHECK(branch["properties"].contains(key));
  }
  CHECK(root["oneOf"][2]["required"] == nlohmann::json::array({"type", "time", "count"}));
  CHECK(root["oneOf"][0]["properties"]["outcome"]["enum"] ==
        nlohmann::json::array({"done", "refused", "timeout", nullptr}));
}

TEST_CASE("ports by name: of the machine's services, else of the short list; none for a client's") {
  const PortNames names(
      "# services\nhttp-alt 8080/tcp webcache\npostgres\t5432/udp # c\nbad\x1b[31m 81/tcp\n82 82/tcp\n"
      "much-too-long-for-a-name 83/tcp\nno-port x/tcp\nhuge 65536/tcp\nchance 40000/tcp\nend 84");
  CHECK(names.find(8080) == "http-alt");
  CHECK(names.find(5432) == "postgres");
  CHECK(names.find(6379) == "redis");
  CHECK(names.find(84) == "end");
  for (const std::uint64_t none : {0UL, 81UL, 82UL, 83UL, 40'000UL, 65'536UL + 80UL})
    CHECK(names.find(none).empty());
  CHECK(PortNames("").find(443) == "https");
}

TEST_CASE("a port by name stands behind its address and alone; other numbers stay") {
  const PortNames names("");
  CellWriter cells(TableStyle::Time::none, {});
  const auto both = [&cells](const IpAddress& address, std::uint64_t port) {
    std::string out;
    cells.append_endpoint(out, Value{address}, Value{port});
    out += ' ';
    cells.append_of(out, {.key = "remote_port", .type = FieldType::unsigned_integer}, Value{port});
    out += ' ';
    cells.append_of(out, {.key = "pid", .type = FieldType::unsigned_integer}, Value{port});
    return out;
  };
  const std::uint8_t v6[16] = {0xfd, 1};
  CHECK(both(IpAddress::v6(v6), 5432) == "[fd01::]:5432 5432 5432");
  cells.name_ports(&names);
  CHECK(both(IpAddress::v6(v6), 5432) == "[fd01::]:postgresql postgresql 5432");
  CHECK(both(IpAddress::v6(v6), 5433) == "[fd01::]:5433 5433 5433");
}
