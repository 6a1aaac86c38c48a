// httptrace from the records of the ring buffer to the line.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>

#include "golden.h"
#include "httptrace/connections.h"

using namespace plumb;

namespace {

constexpr std::int64_t kBoot = 1'795'244'966'000'000'000;  // 2026-11-21T07:09:26Z

class StoppedClock final : public ClockSource {
 public:
  BootTime boot() const override { return {0}; }
  UnixTime real() const override { return {kBoot}; }
};

// What the kernel side would send of some connections.
class Wire {
 public:
  explicit Wire(HttpConnections& to) : to_(&to) {}

  void open(std::uint64_t object, std::uint32_t pid, std::string_view comm,
            std::uint8_t library = LIBRARY_NONE) {
    httptrace_open o{};
    o.header = header(object, HTTPTRACE_OPEN);
    o.header.library = library;
    o.task.pid = o.task.tid = pid;
    o.task.uid = 33;
    std::memcpy(o.task.comm, comm.data(), std::min(comm.size(), sizeof o.task.comm));
    o.netns = 4026531840;
    if (library == LIBRARY_NONE) {
      o.family = AF_INET;
      CHECK(::inet_pton(AF_INET, "192.0.2.1", o.local_addr) == 1);
      CHECK(::inet_pton(AF_INET, "198.51.100.7", o.remote_addr) == 1);
      o.local_port = 8080;
      o.remote_port = 43210;
    }
    CHECK(to_->take(std::as_bytes(std::span(&o, 1))));
    first_[0] = first_[1] = true;
  }

  void data(std::uint64_t object, httptrace_direction direction, std::string_view bytes,
            std::uint32_t gap = 0) {
    httptrace_data d{};
    d.header = header(object, HTTPTRACE_DATA);
    d.header.direction = static_cast<std::uint8_t>(direction);
    if (std::exchange(first_[direction], false)) d.header.flags = HTTPTRACE_FIRST;
    d.length = static_cast<std::uint32_t>(bytes.size()) + gap;
    d.head = static_cast<std::uint16_t>(bytes.size());
    std::string record(reinterpret_cast<const char*>(&d), sizeof d);
    record += bytes;
    CHECK(to_->take(std::as_bytes(std::span(record.data(), record.size()))));
  }

  void close(std::uint64_t object, std::uint32_t error) {
    httptrace_close c{};
    c.header = header(object, HTTPTRACE_CLOSE);
    c.error = error;
    c.end = END_CLOSED;
    CHECK(to_->take(std::as_bytes(std::span(&c, 1))));
    to_->settle({now_ + 1'000'000'000});
  }

 private:
  httptrace_header header(std::uint64_t object, httptrace_record record) {
    httptrace_header h{};
    h.time_ns = now_ += 1'234'567;
    h.connection = {object, 1};
    h.tid = 77;
    h.record = static_cast<std::uint8_t>(record);
    return h;
  }
  HttpConnections* to_;
  std::uint64_t now_ = 1'000'000'000;
  bool first_[2] = {};
};

void play(HttpConnections& connections) {
  Wire wire(connections);
  wire.open(1, 4242, "nginx");
  wire.data(
      1, HTTPTRACE_RECEIVED,
      "GET /users/4711?a=1&sig=secret HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8\r\ntraceparent: "
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n");
  wire.data(1, HTTPTRACE_SENT, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 612\r\n\r\n",
            612);
  wire.data(
      1, HTTPTRACE_RECEIVED,
      "POST /orders HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100000\r\nX-Request-Id: r\x1b[31m\r\n\r\n",
      100000);
  wire.data(1, HTTPTRACE_SENT, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  wire.data(1, HTTPTRACE_RECEIVED, "GET /never HTTP/1.0\r\nHost: shop.example\r\n\r\n");
  wire.close(1, 104);
  wire.open(2, 7,
            "py\xe2\x80\xae"
            "exe",
            LIBRARY_OPENSSL);  // U+202E
  wire.data(2, HTTPTRACE_SENT, "GET /events HTTP/1.1\r\nHost: \xff\r\n\r\n");
  wire.data(2, HTTPTRACE_RECEIVED, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  wire.data(2, HTTPTRACE_RECEIVED, "data: 1\n\ndata: 2\n\n");
  wire.data(2, HTTPTRACE_RECEIVED, "data: 3\n\n");
  wire.close(2, 0);
  wire.open(3, 0, "");
  wire.data(3, HTTPTRACE_RECEIVED, "GET /cut HTTP/1.1\r\nHost: h\r\nCookie: aaaa", 20000);
  wire.data(3, HTTPTRACE_SENT, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  connections.finish({2'000'000'000});
}

void feed(Sink& sink) {
  const StoppedClock source;
  const BootClock clock(source);
  http::Keep keep;
  keep.headers = {"x-request-id"};
  HttpConnections connections(keep, clock, [&](Request& r) {
    CHECK(sink.row(Row(kRequestSchema, r)).ok());
    return true;
  });
  play(connections);
  CHECK(sink.lost({UnixTime{kBoot + 5'500'000'000}, 18, "no room left in the kernel's buffers"}).ok());
}

}  // namespace

TEST_CASE("httptrace through every sink") {
  golden::compare_all("httptrace", kRequestSchema, UnixTime{kBoot}, feed);
}

TEST_CASE("httptrace in the live table") {
  golden::compare_top("httptrace", kRequestSchema, {}, feed);
}

TEST_CASE("httptrace on terminals") {
  golden::compare_screens("httptrace", kRequestSchema, {kBoot}, feed,
                          {.columns = {"time", "pid", "comm", "role", "method", "status", "latency_ms",
                                       "response_bytes", "host", "path", "error"}});
}

TEST_CASE("httptrace summary by two fields") {
  golden::compare_summary("httptrace", kRequestSchema, {"host", "path"}, feed);
}
