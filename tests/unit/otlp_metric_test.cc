// Rows added up as metrics: what a push holds, without a network.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "otlp/metric_sink.h"
#include "otlp/queue.h"
#include "sample_event.h"

using namespace plumb;
using namespace std::literals;
using otlp::Attribute;

namespace {

constexpr double kBounds[] = {1, 2};
constexpr otlp::Instrument kInstruments[] = {{"t.duration", "s", "A time.", kBounds},
                                             {"t.count", "{x}", "A count."}};

std::string_view series_name;
double value = 0;

void measure(const Row&, otlp::Measures& out) {
  const Attribute attributes[] = {{"name", series_name}};
  out.add(0, value, attributes);
  out.add(1, 1, attributes);
}

constexpr otlp::Telemetry kTelemetry{.instruments = kInstruments, .measure = measure};

class HandClock final : public ClockSource {
 public:
  BootTime boot() const override { return {ns}; }
  UnixTime real() const override { return {wall}; }
  std::uint64_t ns = 0;
  std::int64_t wall = 1000;
};

struct Fixture {
  otlp::MetricSettings settings{.interval_ns = 100, .most_series = 4};
  HandClock clock;
  otlp::Queue queue{1000, 1'000'000};
  std::unique_ptr<otlp::Encoding> encoding = otlp::make_json_encoding({{}, "1"}, otlp::Signal::metrics);
  std::unique_ptr<Sink> sink;

  void start() {
    sink = otlp::make_metric_sink(kTelemetry, settings, otlp::Batcher(*encoding, queue, clock, {}), clock);
  }
  void put(std::string_view name, double v) {
    series_name = name;
    value = v;
    CHECK(sink->row(Row(sample::kSchema, sample::Event{})).ok());
  }
  // The metrics of the next push.
  nlohmann::json pushed() {
    const auto batch = queue.take();
    REQUIRE(batch);
    return nlohmann::json::parse("[" + batch->records + "]");
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a histogram and a sum, cumulative") {
  start();
  for (const double v : {0.5, 1.0, 1.5, 5.0}) put("a", v);
  CHECK(sink->flush().ok());  // too early: nothing
  clock.ns = 100;
  clock.wall = 2000;
  CHECK(sink->flush().ok());
  const nlohmann::json first = pushed();
  CHECK(first[0]["histogram"]["aggregationTemporality"] == 2);
  CHECK(first[0]["histogram"]["dataPoints"] == R"([{"attributes":[{"key":"name","value":{"stringValue":"a"}}],
    "startTimeUnixNano":"1000","timeUnixNano":"2000","count":"4","sum":8,"bucketCounts":["2","1","1"],
    "explicitBounds":[1,2],"min":0.5,"max":5}])"_json);
  CHECK(first[1]["sum"] == R"({"dataPoints":[{"attributes":[{"key":"name","value":{"stringValue":"a"}}],
    "startTimeUnixNano":"1000","timeUnixNano":"2000","asInt":"4"}],"aggregationTemporality":2,"isMonotonic":true})"_json);
  put("a", 1);
  CHECK(sink->end().ok());
  CHECK(pushed()[1]["sum"]["dataPoints"][0]["asInt"] == "5");
}

TEST_CASE_FIXTURE(Fixture, "delta: since the last push, and nothing where nothing came") {
  settings.delta = true;
  start();
  put("a", 1);
  clock.ns = 100;
  clock.wall = 500;  // set back
  CHECK(sink->flush().ok());
  const nlohmann::json first = pushed();
  CHECK(first[1]["sum"]["aggregationTemporality"] == 1);
  CHECK(first[1]["sum"]["dataPoints"][0]["timeUnixNano"] == "1000");
  put("b", 1);
  clock.wall = 3000;
  CHECK(sink->end().ok());
  const nlohmann::json second = pushed();
  CHECK(second[1]["sum"]["dataPoints"].size() == 1);
  CHECK(second[1]["sum"]["dataPoints"][0]["startTimeUnixNano"] == "1000");
  CHECK(second[1]["sum"]["dataPoints"][0]["asInt"] == "1");
}

TEST_CASE_FIXTURE(Fixture, "series beyond the cap are added up in one, and no count is lost") {
  start();
  for (const char* name : {"a", "b", "c", "d", "e", "a", "f"}) put(name, 1);
  CHECK(sink->end().ok());
  const nlohmann::json points = pushed()[1]["sum"]["dataPoints"];
  REQUIRE(points.size() == 4);
  CHECK(points[0]["asInt"] == "2");
  CHECK(points[3] == R"({"attributes":[{"key":"otel.metric.overflow","value":{"boolValue":true}}],
    "startTimeUnixNano":"1000","timeUnixNano":"1000","asInt":"3"})"_json);
}

TEST_CASE_FIXTURE(Fixture, "losses are a metric") {
  start();
  CHECK(sink->lost({{}, 7, "no room"}).ok());
  CHECK(sink->end().ok());
  const nlohmann::json metrics = pushed();
  CHECK(metrics[0]["name"] == "plumb.events.lost");
  CHECK(metrics[0]["sum"]["dataPoints"][0]["asInt"] == "7");
}

TEST_CASE_FIXTURE(Fixture, "what became of the items that are pushed is a metric") {
  otlp::PushedCounts counts{5, 0, 0};
  settings.pushed = {{otlp::Signal::traces, [&counts] { return counts; }}};
  start();
  clock.ns = 100;
  CHECK(sink->flush().ok());
  const nlohmann::json first = pushed();
  CHECK(first[0]["name"] == "otel.sdk.exporter.span.exported");
  CHECK(first[0]["sum"]["dataPoints"][0]["asInt"] == "5");
  counts = {6, 2, 3};
  CHECK(sink->end().ok());
  const nlohmann::json second = pushed();
  CHECK(second[0]["sum"]["dataPoints"][0]["asInt"] == "6");
  CHECK(second[0]["sum"]["dataPoints"][1]["asInt"] == "2");
  CHECK(second[0]["sum"]["dataPoints"][1]["attributes"][1]["value"]["stringValue"] == "rejected");
  CHECK(second[1]["name"] == "otel.sdk.processor.span.processed");
  CHECK(second[1]["sum"]["dataPoints"][0]["asInt"] == "3");
}
