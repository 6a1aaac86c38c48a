// httptrace's user side: records in any order and of any content, and its options.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "httptrace/connections.h"
#include "httptrace/options.h"

using namespace plumb;

namespace {

std::string record_of(const auto& wire, std::string_view payload = {}) {
  return std::string(reinterpret_cast<const char*>(&wire), sizeof wire) + std::string(payload);
}

httptrace_header header(std::uint64_t object, httptrace_record record, std::uint64_t time = 1) {
  httptrace_header h{};
  h.time_ns = time;
  h.connection = {object, 1};
  h.record = static_cast<std::uint8_t>(record);
  return h;
}

std::string opened(std::uint64_t object, std::uint64_t time = 1) {
  httptrace_open o{};
  o.header = header(object, HTTPTRACE_OPEN, time);
  o.task.pid = 42;
  return record_of(o);
}

std::string sent(std::uint64_t object, std::string_view bytes, httptrace_direction direction = HTTPTRACE_SENT,
                 std::uint8_t flags = 0, std::uint64_t time = 1) {
  httptrace_data d{};
  d.header = header(object, HTTPTRACE_DATA, time);
  d.header.direction = static_cast<std::uint8_t>(direction);
  d.header.flags = flags;
  d.length = d.head = static_cast<std::uint16_t>(bytes.size());
  return record_of(d, bytes);
}

std::string closed(std::uint64_t object, std::uint64_t time) {
  httptrace_close c{};
  c.header = header(object, HTTPTRACE_CLOSE, time);
  c.end = END_CLOSED;
  c.error = 104;
  return record_of(c);
}

struct Fixture {
  explicit Fixture(std::size_t most = 100)
      : connections(
            keep, clock,
            [this](Request& r) {
              lines.push_back(r.exchange->path + " " + std::to_string(r.exchange->status) + " " +
                              std::to_string(static_cast<int>(r.exchange->failure)));
              return true;
            },
            most) {}
  void take(const std::string& record) {
    connections.take(std::as_bytes(std::span(record.data(), record.size())));
  }
  http::Keep keep;
  BootClock clock;
  std::vector<std::string> lines;
  HttpConnections connections;
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

}  // namespace

TEST_CASE("httptrace: records of wrong sizes and of unknown connections are skipped") {
  Fixture f;
  f.take("");
  f.take(opened(1).substr(0, 50));
  f.take(sent(9, kGet));
  f.take(opened(1));
  std::string cut = sent(1, kGet);
  cut.pop_back();
  f.take(cut);
  httptrace_header odd = header(1, HTTPTRACE_DATA);
  odd.library = 200;
  f.take(record_of(odd));
  f.take(sent(1, kGet));
  f.take(sent(1, kOk, HTTPTRACE_RECEIVED));
  CHECK(f.lines == std::vector<std::string>{"/x 200 0"});
}

TEST_CASE("httptrace: a send that ends after its connection broke still counts") {
  Fixture f;
  f.take(opened(1));
  f.take(sent(1, kGet, HTTPTRACE_RECEIVED, HTTPTRACE_FIRST));
  f.take(closed(1, 1000));
  f.take(sent(1, kOk, HTTPTRACE_SENT, HTTPTRACE_FIRST, 2000));
  f.connections.settle({1'000'000'000});
  CHECK(f.lines == std::vector<std::string>{"/x 200 0"});
}

TEST_CASE("httptrace: a connection that broke is told after a while") {
  Fixture f;
  f.take(opened(1));
  f.take(sent(1, kGet, HTTPTRACE_RECEIVED, HTTPTRACE_FIRST));
  f.take(closed(1, 2'000'000'000));
  f.connections.settle({2'050'000'000});
  CHECK(f.lines.empty());
  f.connections.settle({2'200'000'000});
  CHECK(f.lines == std::vector<std::string>{"/x 0 1"});
}

TEST_CASE("httptrace: the longest idle connection goes first") {
  Fixture f(2);
  for (std::uint64_t i = 1; i <= 2; ++i) {
    f.take(opened(i));
    f.take(sent(i, kGet, HTTPTRACE_RECEIVED, HTTPTRACE_FIRST));
  }
  f.take(sent(1, kOk, HTTPTRACE_SENT, HTTPTRACE_FIRST));  // 2 is idle now
  f.take(opened(3));
  CHECK(f.connections.given_up() == 1);
  CHECK(f.lines == std::vector<std::string>{"/x 200 0", "/x 0 5"});
}

TEST_CASE("httptrace: after a loss what was under way is said to be lost") {
  Fixture f;
  f.take(opened(1));
  f.take(sent(1, kGet, HTTPTRACE_SENT, HTTPTRACE_FIRST));
  f.take(sent(1, kGet, HTTPTRACE_SENT, HTTPTRACE_MISSED));
  f.take(sent(1, kOk, HTTPTRACE_RECEIVED));
  CHECK(f.lines == std::vector<std::string>{"/x 0 5", "/x 200 0"});
}

TEST_CASE("httptrace: globs") {
  CHECK(glob_matches("/api/*", "/api/v1/x"));
  CHECK_FALSE(glob_matches("/api/*", "/apx"));
  CHECK(glob_matches("*.html", "/a.html.html"));
  CHECK(glob_matches("/?/b*c", "/a/b--c"));
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("", ""));
  CHECK_FALSE(glob_matches("", "x"));
  CHECK_FALSE(glob_matches("?", ""));
  CHECK(glob_matches("***a", "bbba"));
}
