// When batches are sent, tried again, and given up: without a network, and without waiting.
#include <doctest/doctest.h>
#include <zlib.h>

#include <deque>
#include <limits>
#include <vector>

#include "otlp/exporter.h"
#include "otlp/log_sink.h"
#include "sample_event.h"

using namespace plumb;
using otlp::Batch;
using otlp::Response;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Response status(unsigned code, std::string retry_after = {}, std::string body = {}) {
  return {code, std::move(retry_after), std::move(body)};
}

// Answers as it is told to, 200 when it was told nothing.
class FakeTransport final : public otlp::Transport {
 public:
  Result<Response> post(const std::string& body, std::int64_t timeout_ns) override {
    bodies.push_back(body);
    timeouts.push_back(timeout_ns);
    if (answers.empty()) return status(200);
    auto answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
  std::deque<Result<Response>> answers;
  std::vector<std::string> bodies;
  std::vector<std::int64_t> timeouts;
};

// Time passes only by pauses.
class FakePacer final : public otlp::Pacer {
 public:
  std::int64_t left_ns() const override { return left; }
  bool pause(std::int64_t ns) override {
    pauses.push_back(ns);
    if (ns > left) return false;
    if (left != std::numeric_limits<std::int64_t>::max()) left -= ns;
    return true;
  }
  UnixTime real() const override { return {784'111'777LL * kSecond}; }  // Sun, 06 Nov 1994 08:49:37 GMT
  double random() override { return chance; }
  std::int64_t left = std::numeric_limits<std::int64_t>::max();
  double chance = 0;
  std::vector<std::int64_t> pauses;
};

// The records as they are.
class FakeEncoding final : public otlp::Encoding {
 public:
  std::string_view content_type() const override { return "text/plain"; }
  void append(std::string& records, const otlp::Record& record) override {
    records.append(record.event_name).append(record.severity == otlp::Severity::warn ? "! " : " ");
  }
  void append(std::string& items, const otlp::Span& span) override { items.append(span.name); }
  void append(std::string& items, const otlp::Metric& metric) override {
    items.append(metric.instrument->name);
  }
  void append(std::string&, const otlp::Describe&) override {}
  std::string beside(const otlp::Describe&) const override { return {}; }
  std::string request(std::string_view records, std::string_view,
                      std::span<const otlp::OwnedItems>) const override {
    return "[" + std::string(records) + "]";
  }
  otlp::Answer answer(std::string_view body, bool success) const override {
    return {success ? body.size() : 0, std::string(body)};  // as many rejected as the answer has bytes
  }
};

struct Fixture {
  otlp::Queue queue{10, 1000};
  FakeEncoding encoding;
  FakeTransport transport;
  FakePacer pacer;
  bool gzip = false;

  // Delivers all batches that were offered, and ends.
  otlp::Progress run() {
    otlp::Exporter exporter(queue, encoding, transport, pacer, 10 * kSecond, gzip);
    queue.close();
    exporter.run();
    return exporter.progress();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "batches go out in their order, each once") {
  queue.offer({"a", 2});
  queue.offer({"b", 3});
  const otlp::Progress p = run();
  CHECK(transport.bodies == std::vector<std::string>{"[a]", "[b]"});
  CHECK(transport.timeouts == std::vector<std::int64_t>{10 * kSecond, 10 * kSecond});
  CHECK(p.delivered == 5);
  CHECK(p.requests == 2);
  CHECK(p.retries == 0);
  CHECK(pacer.pauses.empty());
}

TEST_CASE_FIXTURE(Fixture, "what may pass is tried again, longer and longer apart") {
  transport.answers = {status(503), status(502), Error{"cannot connect", "Connection refused"},
                       status(429), status(504), status(202)};
  queue.offer({"a", 2});
  SUBCASE("at the least") {
    pacer.chance = 0;
    CHECK(run().delivered == 2);
    CHECK(pacer.pauses ==
          std::vector<std::int64_t>{kSecond / 2, kSecond, 2 * kSecond, 5 * kSecond / 2, 5 * kSecond / 2});
  }
  SUBCASE("at the most") {
    pacer.chance = 1;
    const otlp::Progress p = run();
    CHECK(pacer.pauses ==
          std::vector<std::int64_t>{kSecond, 2 * kSecond, 4 * kSecond, 5 * kSecond, 5 * kSecond});
    CHECK(p.requests == 6);
    CHECK(p.retries == 5);
  }
  CHECK(transport.bodies == std::vector<std::string>(6, "[a]"));
}

TEST_CASE_FIXTURE(Fixture, "the collector says when to come back") {
  transport.answers = {status(503, "7"), status(429, "Sun, 06 Nov 1994 08:49:40 GMT"), status(503, "soon"),
                       status(200)};
  queue.offer({"a", 1});
  CHECK(run().delivered == 1);
  CHECK(pacer.pauses == std::vector<std::int64_t>{7 * kSecond, 3 * kSecond, 2 * kSecond});
}

TEST_CASE("Retry-After") {
  const UnixTime now{784'111'777LL * kSecond};
  CHECK(otlp::retry_after_ns("0", now) == 0);
  CHECK(otlp::retry_after_ns("120", now) == 120 * kSecond);
  CHECK(otlp::retry_after_ns("99999999999", now) == 86'400 * kSecond);
  CHECK(otlp::retry_after_ns("Sun, 06 Nov 1994 08:49:37 GMT", now) == 0);
  CHECK(otlp::retry_after_ns("Sun, 06 Nov 1994 08:48:00 GMT", now) == 0);  // past
  CHECK(otlp::retry_after_ns("Sun, 06 Nov 1994 08:50:00 GMT", now) == 23 * kSecond);
  for (const char* bad :
       {"", "-1", "1.5", "7 ", "Sun, 06 Nov 1994 08:50:00", "Sun, 06 Nov 1994 08:50:00 GMT!"}) {
    CAPTURE(bad);
    CHECK(!otlp::retry_after_ns(bad, now));
  }
}

TEST_CASE_FIXTURE(Fixture, "other answers are final") {
  for (const unsigned code : {400U, 401U, 404U, 413U, 500U, 501U, 301U, 100U}) {
    transport.answers.emplace_back(status(code, "1", "go away"));
    queue.offer({"x", 1});
  }
  queue.offer({"last", 1});
  const otlp::Progress p = run();
  CHECK(p.refused == 8);
  CHECK(p.delivered == 1);
  CHECK(p.retries == 0);
  CHECK(p.problem == "HTTP status 100, go away");
  CHECK(pacer.pauses.empty());
}

TEST_CASE_FIXTURE(Fixture, "a partial success is not tried again, and what was rejected is counted") {
  transport.answers = {status(200, "", "no"), status(200, "", "more than there were")};
  queue.offer({"a", 5});
  queue.offer({"b", 3});
  const otlp::Progress p = run();
  CHECK(transport.bodies.size() == 2);
  CHECK(p.delivered == 3);
  CHECK(p.refused == 2 + 3);
  CHECK(p.problem == "more than there were");
}

TEST_CASE_FIXTURE(Fixture, "at the end there is only so much time") {
  queue.offer({"a", 1});
  queue.offer({"b", 1});
  SUBCASE("enough") {
    pacer.left = 3 * kSecond;
    transport.answers = {status(503)};
    CHECK(run().delivered == 2);
    CHECK(transport.timeouts == std::vector<std::int64_t>{3 * kSecond, 5 * kSecond / 2, 5 * kSecond / 2});
  }
  SUBCASE("none") {
    pacer.left = 0;
    CHECK(run().requests == 0);
  }
  SUBCASE("less than the collector wants") {
    pacer.left = 3 * kSecond;
    transport.answers = {status(503, "60")};
    const otlp::Progress p = run();
    CHECK(p.requests == 1);  // not b either: the collector wants to be left alone
    CHECK(p.delivered + p.refused == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "a full queue drops what comes, and counts it") {
  queue.offer({"a", 6});
  queue.offer({"b", 5});  // no room for 11 records
  queue.offer({"c", 4});
  queue.offer({"d", 1});
  CHECK(queue.offered() == 16);
  CHECK(queue.dropped() == 6);
  CHECK(run().delivered == 10);
  CHECK(transport.bodies == std::vector<std::string>{"[a]", "[c]"});
}

TEST_CASE("a queue is bounded in bytes too, but takes any batch when it is empty") {
  otlp::Queue queue(100, 10);
  queue.offer({"twelve bytes", 1});
  queue.offer({"x", 1});
  CHECK(queue.dropped() == 1);
  CHECK(queue.take()->records == "twelve bytes");
  queue.offer({"1234567890", 1});
  queue.offer({"x", 1});
  CHECK(queue.dropped() == 2);
  queue.close();
  CHECK(queue.take());
  CHECK(!queue.take());
}

TEST_CASE_FIXTURE(Fixture, "gzip is what gunzip reads") {
  const std::string text(100'000, 'a');
  gzip = true;
  queue.offer({text, 1});
  CHECK(run().delivered == 1);
  const std::string& sent = transport.bodies.front();
  CHECK(sent.size() < 1000);
  std::string out(200'000, '\0');
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK);  // gzip's header, nothing else
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(sent.data()));
  stream.avail_in = static_cast<uInt>(sent.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  CHECK(out == "[" + text + "]");
}

namespace {

class FakeClock final : public ClockSource {
 public:
  BootTime boot() const override { return {now}; }
  UnixTime real() const override { return {static_cast<std::int64_t>(now)}; }
  std::uint64_t now = 5'000'000'000;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what is final says what to do about it") {
  const auto hint_after = [&](Response answer) {
    otlp::Queue one(10, 1000);
    one.offer({"a", 2});
    one.close();
    transport.answers = {Result<Response>(std::move(answer))};
    otlp::Exporter exporter(one, encoding, transport, pacer, 10 * kSecond, false);
    exporter.run();
    CHECK(exporter.progress().refused == 2);
    CHECK(exporter.progress().requests == 1);
    return exporter.progress().hint;
  };
  CHECK(hint_after(status(404)).find("/v1/traces") != std::string::npos);
  CHECK(hint_after(status(405)).find("4318") != std::string::npos);
  CHECK(hint_after(status(415)).find("OTEL_EXPORTER_OTLP_PROTOCOL") != std::string::npos);
  CHECK(hint_after(status(308)).find("redirect") != std::string::npos);
  CHECK(hint_after(status(0)).find("gRPC") != std::string::npos);
  CHECK(hint_after(status(400)).empty());
  // More than 4 MiB: not tried again, whatever the status.
  CHECK(hint_after({.status = 503, .too_long = true}).empty());
  CHECK(hint_after({.status = 200, .too_long = true}).empty());
}

TEST_CASE_FIXTURE(Fixture, "a request of more than 64 MiB is never sent") {
  otlp::Queue one(10, std::size_t{200} << 20);
  one.offer({std::string(otlp::Exporter::kLongestRequest - 2, 'x'), 1});
  one.offer({std::string(otlp::Exporter::kLongestRequest - 1, 'x'), 2});
  one.close();
  otlp::Exporter exporter(one, encoding, transport, pacer, 10 * kSecond, false);
  exporter.run();
  CHECK(transport.bodies.size() == 1);
  CHECK(exporter.progress().delivered == 1);
  CHECK(exporter.progress().refused == 2);
}

TEST_CASE("a batch goes when it is full, when it is old, and at the end") {
  FakeEncoding encoding;
  FakeClock clock;
  otlp::Queue queue(100, 1'000'000);
  const auto sink = otlp::make_sink(sample::kSchema, "sample", encoding, queue, clock, {.records = 3});
  const auto row = [&](std::string_view outcome) {
    CHECK(sink->row(Row(sample::kSchema, sample::Event{.outcome = outcome})).ok());
  };
  row("done");
  CHECK(sink->flush().ok());
  CHECK(queue.offered() == 0);
  clock.now += kSecond - 1;
  CHECK(sink->flush().ok());
  CHECK(queue.offered() == 0);
  clock.now += 1;
  CHECK(sink->flush().ok());
  CHECK(queue.offered() == 1);
  for (int i = 0; i < 4; ++i) row("refused");
  CHECK(queue.offered() == 4);
  CHECK(sink->lost({UnixTime{1}, 2, "why"}).ok());
  CHECK(sink->end().ok());
  CHECK(queue.take()->records == "plumb.sample.begin ");
  CHECK(queue.take()->records == "plumb.sample.begin! plumb.sample.begin! plumb.sample.begin! ");
  const auto last = queue.take();
  CHECK(last->records == "plumb.sample.begin! plumb.lost! ");
  CHECK(last->count == 2);
}
