// Whose spans are: what a process is called, and resources of their own in one request.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "otlp/batcher.h"
#include "run/otlp_owner.h"

using namespace plumb;
using namespace std::literals;

TEST_CASE("what an environment says") {
  CHECK(service_of_environment({}) == "");
  CHECK(service_of_environment("HOME=/\0OTEL_SERVICE_NAME=shop\0X=1\0"sv) == "shop");
  CHECK(service_of_environment("OTEL_SERVICE_NAME=shop"sv) == "shop");
  CHECK(service_of_environment("OTEL_RESOURCE_ATTRIBUTES=a=b,service.name=c%20d\0"sv) == "c d");
  CHECK(service_of_environment("OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=b\0"sv) == "b");
  CHECK(service_of_environment("OTEL_SERVICE_NAME=\0OTEL_RESOURCE_ATTRIBUTES=service.name=a\0"sv) == "a");
  CHECK(service_of_environment("XOTEL_SERVICE_NAME=shop\0OTEL_RESOURCE_ATTRIBUTES=broken\0\0\0"sv) == "");
  CHECK(service_of_environment("OTEL_SERVICE_NAME=" + std::string(256, 'x')) == "");
  CHECK(service_of_environment("OTEL_RESOURCE_ATTRIBUTES=" + std::string(100'000, ',')) == "");
}

TEST_CASE("a span's owner") {
  otlp::SpanDraft span;
  Origin origin;
  origin.names.exe = "/usr/sbin/nginx";
  set_owner(span, origin);
  CHECK(span.owner.empty());  // of a process that is not known
  origin.pid = 1;
  origin.names.container = "web";
  set_owner(span, origin);
  REQUIRE(span.owner.size() == 2);
  CHECK(std::get<std::string_view>(span.owner[0].value) == "nginx");
  CHECK(span.owner[1].key == "container.name");
  span.clear();
  origin.names.service = "shop";
  set_owner(span, origin);
  CHECK(std::get<std::string_view>(span.owner[0].value) == "shop");
}

TEST_CASE("owners have resources of their own in a request, and counts and limits are of all") {
  struct Clock final : ClockSource {
    BootTime boot() const override { return {}; }
    UnixTime real() const override { return {}; }
  } clock;
  const otlp::Source source{{{"service.name", "plumb"}, {"service.version", "1"}, {"host.name", "h"}}, "1"};
  otlp::Queue queue(100, 1'000'000);
  for (const bool json : {true, false}) {
    const auto encoding = json ? otlp::make_json_encoding(source, otlp::Signal::traces)
                               : otlp::make_protobuf_encoding(source, otlp::Signal::traces);
    otlp::Batcher batcher(*encoding, queue, clock, {.records = 4});
    const otlp::Attribute a[] = {{"service.name", "a"sv}};
    const otlp::Attribute b[] = {{"service.name", "b"sv}};
    batcher.add_owned(otlp::Span{.name = "one"}, a);
    batcher.add_owned(otlp::Span{.name = "two"}, b);
    batcher.add_owned(otlp::Span{.name = "three"}, a);
    CHECK(queue.offered() == (json ? 0 : 4));
    batcher.add_owned(otlp::Span{.name = "four"}, {});
    const auto batch = queue.take();
    REQUIRE(batch);
    CHECK(batch->count == 4);
    CHECK(batch->owned.size() == 2);
    const std::string request = encoding->request(batch->records, batch->beside, batch->owned);
    if (!json) {
      CHECK(request.find("three") != std::string::npos);
      continue;
    }
    const auto resources = nlohmann::json::parse(request)["resourceSpans"];
    REQUIRE(resources.size() == 3);
    CHECK(resources[0]["scopeSpans"][0]["spans"][0]["name"] == "four");
    CHECK(resources[0]["resource"]["attributes"].size() == 3);
    CHECK(resources[1]["scopeSpans"][0]["spans"].size() == 2);
    CHECK(
        resources[1]["resource"]["attributes"].dump() ==
        R"([{"key":"service.name","value":{"stringValue":"a"}},{"key":"host.name","value":{"stringValue":"h"}}])");
  }
}
