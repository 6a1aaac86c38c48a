// Log records on the wire. The protobuf bytes here were written by hand from the .proto files; what all
// fields of all tools become stands in the golden files, in JSON, and the live tests decode protobuf again.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/utf8.h"
#include "otlp/encoding.h"
#include "otlp/log_sink.h"
#include "run/tool_command.h"
#include "sample_event.h"

using namespace plumb;
using namespace std::literals;
using otlp::Attribute;
using otlp::Record;

namespace {

const otlp::Source kSource{{{"a", "b"}}, "1"};

std::string protobuf(const Record& record) {
  std::string out;
  otlp::make_protobuf_encoding(kSource)->append(out, record);
  return out;
}

// The bytes of the attribute x with this value, without what stands around them.
std::string any_value(const Value& value) {
  const Attribute attribute{"x", value};
  const std::string all = protobuf({.event_name = "e", .attributes = {&attribute, 1}});
  const std::string key = "\x0a\x01x\x12"s;
  const std::size_t at = all.find(key);
  REQUIRE(at != std::string::npos);
  return all.substr(at + key.size() + 1, static_cast<unsigned char>(all[at + key.size()]));
}

nlohmann::json json_value(const Value& value) {
  const Attribute attribute{"x", value};
  std::string out;
  otlp::make_json_encoding(kSource)->append(out, Record{.attributes = {&attribute, 1}});
  return nlohmann::json::parse(out)["attributes"][0]["value"];
}

}  // namespace

TEST_CASE("a request in protobuf, byte for byte") {
  const auto encoding = otlp::make_protobuf_encoding(kSource);
  const Attribute attribute{"k", true};
  std::string records;
  encoding->append(records, Record{.time = {1},
                                   .observed = {2},
                                   .severity = otlp::Severity::warn,
                                   .event_name = "e",
                                   .body = "why",
                                   .attributes = {&attribute, 1}});
  const std::string record =
      "\x09\x01\0\0\0\0\0\0\0"  // 1 time_unix_nano, fixed64
      "\x59\x02\0\0\0\0\0\0\0"  // 11 observed_time_unix_nano, fixed64
      "\x10\x0d"                // 2 severity_number, enum
      "\x1a\x04WARN"            // 3 severity_text
      "\x62\x01"                // 12 event_name
      "e"
      "\x2a\x05\x0a\x03why"                  // 5 body.string_value
      "\x32\x07\x0a\x01k\x12\x02\x10\x01"s;  // 6 attributes: 1 key, 2 value.bool_value
  CHECK(records == "\x12\x2d"s + record);
  const std::string scope_logs = "\x0a\x0a\x0a\x05plumb\x12\x01"s + "1" + records;
  const std::string resource_logs =
      "\x0a\x0a\x0a\x08\x0a\x01"
      "a\x12\x03\x0a\x01"
      "b\x12\x3b"s +
      scope_logs;
  CHECK(encoding->request(records) == "\x0a\x49"s + resource_logs);
  CHECK(encoding->content_type() == "application/x-protobuf");
}

TEST_CASE("a span in protobuf, byte for byte, and in JSON") {
  otlp::Span span;
  span.trace_id.fill(std::byte{0xab});
  span.span_id.fill(std::byte{0x01});
  span.flags = 0x301;
  span.name = "GET";
  span.kind = otlp::SpanKind::server;
  span.start = {1};
  span.end = {2};
  span.failed = true;
  std::string items;
  otlp::make_protobuf_encoding(kSource, otlp::Signal::traces)->append(items, span);
  const std::string expected = "\x0a\x10" + std::string(16, '\xab') +  // 1 trace_id
                               "\x12\x08" + std::string(8, '\x01') +   // 2 span_id; no 4 parent_span_id
                               "\x85\x01\x01\x03\0\0"s                 // 16 flags, fixed32
                               "\x2a\x03GET"                           // 5 name
                               "\x30\x02"                              // 6 kind
                               "\x39\x01\0\0\0\0\0\0\0"s               // 7 start_time_unix_nano, fixed64
                               "\x41\x02\0\0\0\0\0\0\0"s               // 8 end_time_unix_nano
                               "\x7a\x02\x18\x02"s;                    // 15 status: 3 code
  CHECK(items.substr(2) == expected);
  CHECK(items.front() == '\x12');
  std::string json;
  otlp::make_json_encoding(kSource, otlp::Signal::traces)->append(json, span);
  CHECK(nlohmann::json::parse(json) == nlohmann::json::parse(R"({"traceId":"abababababababababababababababab",
    "spanId":"0101010101010101","flags":769,"name":"GET","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2",
    "attributes":[],"status":{"code":2}})"));
}

TEST_CASE("values in protobuf") {
  CHECK(any_value(false) == "\x10\x00"s);  // a oneof: zeros are written
  CHECK(any_value(std::uint64_t{0}) == "\x18\x00"s);
  CHECK(any_value(std::int64_t{-1}) == "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  CHECK(any_value(std::numeric_limits<std::uint64_t>::max()) ==
        "\x0a\x14"
        "18446744073709551615");
  CHECK(any_value(0.5) == "\x21\0\0\0\0\0\0\xe0\x3f"s);
  CHECK(any_value(Duration{500'000}) == "\x21\0\0\0\0\0\0\xe0\x3f"s);  // milliseconds
  CHECK(any_value(""sv) == "\x0a\x00"s);
  CHECK(any_value("a\xff"
                  "b"sv) ==
        "\x0a\x05"
        "a\xef\xbf\xbd"
        "b");
  CHECK(any_value(Name{"done"}) ==
        "\x0a\x04"
        "done");
  CHECK(any_value(*IpAddress::parse("::1")) == "\x0a\x03::1");
  const std::string_view list[] = {"a", ""};
  CHECK(any_value(TextList(list)) ==
        "\x2a\x09\x0a\x03\x0a\x01"
        "a\x0a\x02\x0a\x00"s);
  CHECK(any_value(TextList{}) == "\x2a\x00"s);
}

TEST_CASE("values in JSON that a plain number would spoil") {
  CHECK(json_value(std::numeric_limits<std::int64_t>::min()) ==
        R"({"intValue":"-9223372036854775808"})"_json);
  CHECK(json_value(std::numeric_limits<std::uint64_t>::max()) ==
        R"({"stringValue":"18446744073709551615"})"_json);
  CHECK(json_value(std::nan("")) == R"({"doubleValue":"NaN"})"_json);
  CHECK(json_value(-HUGE_VAL) == R"({"doubleValue":"-Infinity"})"_json);
  CHECK(json_value(0.0) == R"({"doubleValue":0})"_json);
  CHECK(json_value("\xff"sv) == R"({"stringValue":"\ufffd"})"_json);
}

TEST_CASE("what a collector answers") {
  const auto protobuf = otlp::make_protobuf_encoding(kSource);
  const auto json = otlp::make_json_encoding(kSource);
  const auto is = [](const otlp::Answer& a, std::uint64_t rejected, std::string_view message) {
    CHECK(a.rejected == rejected);
    CHECK(a.message == message);
  };
  is(protobuf->answer("", true), 0, "");
  is(protobuf->answer("\x0a\x07\x08\x03\x12\x03why"s, true), 3, "why");
  is(protobuf->answer("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, true), 0, "");  // -1: hostile
  is(protobuf->answer("\x08\x05\x12\x03why"s, false), 0, "why");  // google.rpc.Status
  is(protobuf->answer("\x0a\x7f", true), 0, "");                  // cut
  is(protobuf->answer("<html>", true), 0, "");
  is(protobuf->answer("<html>", false), 0, "");

  is(json->answer("{}", true), 0, "");
  is(json->answer(R"({"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"why"}})", true), 3, "why");
  is(json->answer(R"({"partialSuccess":{"rejectedLogRecords":3}})", true), 3, "");
  is(json->answer(R"({"partialSuccess":{"rejectedLogRecords":-3,"errorMessage":7}})", true), 0, "");
  is(json->answer(R"({"code":5,"message":"why"})", false), 0, "why");
  for (const char* bad : {"", "[]", "{", "<html>", R"({"partialSuccess":[]})", "\xff"}) {
    is(json->answer(bad, true), 0, "");
    is(json->answer(bad, false), 0, "");
  }
}

TEST_CASE("valid_utf8") {
  std::string scratch;
  const std::string good = "caf\u00e9 \U0001f600";
  CHECK(valid_utf8(good, scratch).data() == good.data());  // not copied
  CHECK(valid_utf8("", scratch).empty());
  CHECK(valid_utf8("\xff", scratch) == "\ufffd");
  CHECK(valid_utf8("a\xc3", scratch) == "a\ufffd");
  CHECK(valid_utf8("\xed\xa0\x80x\xe2\x82\xac", scratch) == "\ufffd\ufffd\ufffdx\u20ac");
}

TEST_CASE("no record of any tool has an attribute twice") {
  const auto check = [](const Schema& schema) {
    for (std::size_t type = 0; type < schema.types().size(); ++type) {
      std::set<std::string> names;
      for (std::size_t i = 0; i < schema.size(); ++i) {
        if ((schema.spec(i).types >> type & 1U) == 0) continue;
        CAPTURE(schema.spec(i).key);
        CHECK(names.insert(otlp::attribute_name(schema.spec(i))).second);
      }
    }
  };
  for (const ToolInfo* tool : tools_of(commands())) {
    CAPTURE(tool->name);
    check(*tool->schema);
    if (tool->summary_schema != nullptr) check(*tool->summary_schema);
  }
}

// The attribute registry of the semantic conventions 1.44.
TEST_CASE("attributes of fields are plumb's own or exist") {
  static const std::set<std::string> kKnown = {"client.address",
                                               "container.name",
                                               "destination.address",
                                               "destination.port",
                                               "dns.answers",
                                               "dns.question.name",
                                               "error.type",
                                               "http.request.body.size",
                                               "http.request.method",
                                               "http.response.body.size",
                                               "http.response.status_code",
                                               "k8s.namespace.name",
                                               "k8s.pod.name",
                                               "network.connection.state",
                                               "network.interface.name",
                                               "network.local.address",
                                               "network.local.port",
                                               "network.peer.address",
                                               "network.peer.port",
                                               "network.transport",
                                               "process.executable.path",
                                               "process.parent_pid",
                                               "process.pid",
                                               "process.user.id",
                                               "rpc.method",
                                               "rpc.response.status_code",
                                               "server.address",
                                               "server.port",
                                               "source.address",
                                               "source.port",
                                               "url.path",
                                               "url.query",
                                               "url.scheme",
                                               "user_agent.original"};
  for (const ToolInfo* tool : tools_of(commands())) {
    for (std::size_t i = 0; i < tool->schema->size(); ++i) {
      const std::string name(otlp::attribute_name(tool->schema->spec(i)));
      CAPTURE(name);
      CHECK((name.starts_with("plumb.") || kKnown.contains(name)));
    }
  }
}
