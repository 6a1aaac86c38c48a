// tcpconnect from the bytes of the ring buffer to the line.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>

#include "golden.h"
#include "tcpconnect/event.h"

using namespace plumb;

namespace {

constexpr std::int64_t kBoot = 1'795'244'966'000'000'000;  // 2026-11-21T07:09:26Z

class StoppedClock final : public ClockSource {
 public:
  BootTime boot() const override { return {0}; }
  UnixTime real() const override { return {kBoot}; }
};

tcpconnect_event event(tcpconnect_type type, tcpconnect_outcome outcome, const char* local,
                       const char* remote) {
  tcpconnect_event e{};
  e.type = static_cast<std::uint8_t>(type);
  e.outcome = static_cast<std::uint8_t>(outcome);
  e.role = type == TCPCONNECT_ACCEPT ? ROLE_SERVER : ROLE_CLIENT;
  e.family = std::strchr(remote, ':') == nullptr ? AF_INET : AF_INET6;
  CHECK(::inet_pton(e.family, local, e.local_addr) == 1);
  CHECK(::inet_pton(e.family, remote, e.remote_addr) == 1);
  e.netns = 4026531840;
  e.local_port = 43210;
  e.remote_port = 443;
  return e;
}

void own(tcpconnect_event& e, std::uint32_t pid, std::string_view comm) {
  e.known |= KNOWN_OWNER | KNOWN_SYN_RETRIES;
  e.task.pid = e.task.tid = pid;
  e.task.uid = 1000;
  std::memcpy(e.task.comm, comm.data(), std::min(comm.size(), sizeof e.task.comm));
}

std::vector<tcpconnect_event> events() {
  std::vector<tcpconnect_event> all;
  const auto add = [&](tcpconnect_event e, std::uint64_t latency_ns) {
    e.time_ns = 1'000'000'001 * (all.size() + 1);
    if (latency_ns != 0) {
      e.known |= KNOWN_LATENCY;
      e.latency_ns = latency_ns;
    }
    all.push_back(e);
  };
  auto e = event(TCPCONNECT_CONNECT, OUTCOME_ESTABLISHED, "192.0.2.1", "192.0.2.7");
  own(e, 4242, "curl");
  add(e, 83'412);
  e = event(TCPCONNECT_CONNECT, OUTCOME_REFUSED, "127.0.0.1", "127.0.0.1");
  own(e, 4294967295U, "sixteen-bytes-ok");  // no NUL at the end
  e.error = 111;
  add(e, 41'000);
  e = event(TCPCONNECT_CONNECT, OUTCOME_TIMEOUT, "10.0.0.1", "203.0.113.9");
  own(e, 99, "\x1b[31m\xff\"\\");
  e.error = 110;
  e.syn_retries = 6;
  add(e, 127'000'000'000);
  e = event(TCPCONNECT_CONNECT, OUTCOME_ESTABLISHED, "2001:db8:1111:2222:3333:4444:5555:6666",
            "2001:db8:7777:8888:9999:aaaa:bbbb:cccc");
  own(e, 1,
      "py\xe2\x80\xae"
      "exe");  // U+202E
  add(e, 1'200'000);
  e = event(TCPCONNECT_CONNECT, OUTCOME_UNREACHABLE, "::ffff:192.0.2.1", "::ffff:198.51.100.2");
  own(e, 7, "java");
  e.error = 113;
  e.local_port = 0;
  add(e, 3'060'000'000);
  e = event(TCPCONNECT_CONNECT, OUTCOME_NO_PORTS, "0.0.0.0", "192.0.2.7");
  own(e, 8, "wrk");
  e.error = 99;
  e.local_port = 0;
  add(e, 0);
  e = event(TCPCONNECT_CONNECT, OUTCOME_CANCELLED, "192.0.2.1", "192.0.2.9");
  add(e, 0);  // the owner is not known
  e = event(TCPCONNECT_CONNECT, OUTCOME_ERROR, "192.0.2.1", "192.0.2.9");
  e.error = 65535;  // a number without a name
  add(e, 0);
  e = event(TCPCONNECT_ACCEPT, OUTCOME_ESTABLISHED, "fd00::1", "fd00::2");
  own(e, 80, "nginx");
  add(e, 999);
  e = event(TCPCONNECT_CLOSE, OUTCOME_ESTABLISHED, "192.0.2.1", "192.0.2.7");
  own(e, 4242, "curl");
  e.known |= KNOWN_DURATION;
  e.duration_ns = 3'723'004'000'000;
  e.tx_bytes = 1229;
  e.rx_bytes = 18'446'744'073'709'551'615U;
  e.retransmits = 3;
  e.srtt_us = 250;
  e.closed_by = CLOSED_REMOTE;
  add(e, 0);
  e = event(TCPCONNECT_CLOSE, OUTCOME_ESTABLISHED, "192.0.2.1", "192.0.2.7");
  e.role = ROLE_UNKNOWN;  // older than the trace
  e.known &= static_cast<__u8>(~KNOWN_SYN_RETRIES);
  e.closed_by = CLOSED_RESET_LOCAL;
  add(e, 0);
  return all;
}

void feed(Sink& sink) {
  const StoppedClock source;
  const BootClock clock(source);
  std::size_t n = 0;
  for (const tcpconnect_event& e : events()) {
    const auto decoded = decode_connect(std::as_bytes(std::span(&e, 1)), clock);
    REQUIRE(decoded.has_value());
    CHECK(sink.row(Row(kConnectSchema, *decoded)).ok());
    if (++n == 5)
      CHECK(sink.lost({UnixTime{kBoot + 5'500'000'000}, 18, "no room left in the kernel's buffers"}).ok());
  }
}

void feed_summary(Sink& sink) {
  tcpconnect_summary_key key{};
  key.pid = 4242;
  key.port = 443;
  key.role = ROLE_CLIENT;
  key.family = AF_INET;
  CHECK(::inet_pton(AF_INET, "192.0.2.7", key.remote_addr) == 1);
  std::memcpy(key.comm, "curl", 4);
  tcpconnect_summary value{};
  value.outcomes[OUTCOME_ESTABLISHED] = 100;
  value.outcomes[OUTCOME_REFUSED] = 2;
  value.max_latency_ns = 12'345'678;
  for (std::uint32_t us = 1; us <= 100; ++us) ++value.latency_us[histogram_bucket(us * 10)];
  value.tx_bytes = 123'456'789;
  value.closed = 99;
  ConnectSummary full{&key, &value, IpAddress::v4(key.remote_addr)};
  CHECK(sink.row(Row(kConnectSummarySchema, full)).ok());

  const tcpconnect_summary_key unknown{};
  tcpconnect_summary failed{};
  failed.outcomes[OUTCOME_TIMEOUT] = 1;
  ConnectSummary empty{&unknown, &failed, IpAddress{}};
  CHECK(sink.row(Row(kConnectSummarySchema, empty)).ok());
}

}  // namespace

TEST_CASE("tcpconnect lines") {
  golden::compare_all("tcpconnect", kConnectSchema, {kBoot}, feed);
}

TEST_CASE("tcpconnect summary") {
  golden::compare_all("tcpconnect-summary", kConnectSummarySchema, {kBoot}, feed_summary);
}

TEST_CASE("tcpconnect on terminals") {
  golden::compare_screens("tcpconnect", kConnectSchema, {kBoot}, feed,
                          {.columns = {"time", "pid", "comm", "local_port", "remote_addr", "remote_port",
                                       "outcome", "latency_ms"}});
  golden::compare_screens("tcpconnect-life", kConnectSchema, {kBoot}, feed,
                          {.columns = {"time", "type", "pid", "comm", "role", "local_addr", "local_port",
                                       "remote_addr", "remote_port", "outcome", "latency_ms", "duration_ms",
                                       "tx_bytes", "rx_bytes", "closed_by"}});
  golden::compare_screens("tcpconnect-summary", kConnectSummarySchema, {kBoot}, feed_summary,
                          {.contents = true});
}

TEST_CASE("tcpconnect live table") {
  golden::compare_top("tcpconnect", kConnectSchema, {}, feed);
  golden::compare_top("tcpconnect-both", kConnectSchema, {"pid", "comm", "role", "remote_addr", "port"},
                      feed);
}

TEST_CASE("a record that is none of ours is refused") {
  const BootClock clock;
  const auto good = event(TCPCONNECT_CONNECT, OUTCOME_ESTABLISHED, "192.0.2.1", "192.0.2.7");
  const auto bytes = std::as_bytes(std::span(&good, 1));
  CHECK(decode_connect(bytes, clock).has_value());
  CHECK_FALSE(decode_connect(bytes.first(bytes.size() - 1), clock).has_value());
  CHECK_FALSE(decode_connect({}, clock).has_value());
  for (auto member : {&tcpconnect_event::type, &tcpconnect_event::outcome, &tcpconnect_event::closed_by}) {
    auto bad = good;
    bad.*member = 200;
    CHECK_FALSE(decode_connect(std::as_bytes(std::span(&bad, 1)), clock).has_value());
  }
}
