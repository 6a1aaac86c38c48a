// tcpconnect's summary of saved lines is that of the events that the lines were written from.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "replay/line.h"
#include "sink/formats.h"
#include "tcpconnect/event.h"
#include "tcpconnect/sums.h"

using namespace plumb;

namespace {

class StoppedClock final : public ClockSource {
 public:
  BootTime boot() const override { return {0}; }
  UnixTime real() const override { return {1'795'244'966'000'000'000}; }
};

tcpconnect_event event(unsigned n) {
  constexpr const char* kAddresses[] = {"192.0.2.7", "2001:db8::1", "127.0.0.1", "0.0.0.0"};
  constexpr const char* kNames[] = {"curl", "sixteen-bytes-ok", "\x1b[31m\"\\", "nginx"};
  tcpconnect_event e{};
  const char* remote = kAddresses[n % 4];
  e.type = static_cast<std::uint8_t>(n % TCPCONNECT_TYPES);
  e.role = static_cast<std::uint8_t>(n / 3 % 3);
  e.outcome = static_cast<std::uint8_t>(n % 5 == 0 ? n / 5 % OUTCOMES : OUTCOME_ESTABLISHED);
  e.family = std::strchr(remote, ':') == nullptr ? AF_INET : AF_INET6;
  CHECK(::inet_pton(e.family, remote, e.remote_addr) == 1);
  CHECK(::inet_pton(e.family, remote, e.local_addr) == 1);
  e.netns = 4026531840;
  e.time_ns = n * 1'000'003ULL;
  e.local_port = static_cast<__u16>(1000 + n % 3);
  e.remote_port = static_cast<__u16>(n % 7);
  if (n % 6 != 0) {
    e.known |= KNOWN_OWNER;
    e.task.pid = 1 + n % 5;
    std::memcpy(e.task.comm, kNames[n % 4], std::strlen(kNames[n % 4]));
  }
  if (n % 8 != 0) {
    e.known |= KNOWN_LATENCY;
    e.latency_ns = n * n * 977ULL;
  }
  if (e.type == TCPCONNECT_CLOSE) {
    e.tx_bytes = n;
    e.rx_bytes = n * 1000ULL;
    e.retransmits = n % 4;
  }
  return e;
}

std::string written(Summary& sums) {
  Output out = Output::memory();
  const auto sink = make_json_sink(sums.schema(), out);
  sums.finish([&](const Row& row) { return sink->row(row).ok(); });
  return out.buffer();
}

// The summaries of some events: of themselves, and of the lines written from them.
std::pair<std::string, std::string> both(unsigned first, unsigned step) {
  const StoppedClock source;
  const BootClock clock(source);
  replay::LineReader reader(kConnectSchema);
  ConnectSums live;
  SavedConnectSums saved(reader.schema());
  for (unsigned n = first; n < 3000; n += step) {
    const tcpconnect_event e = event(n);
    const auto decoded = decode_connect(std::as_bytes(std::span(&e, 1)), clock);
    REQUIRE(decoded.has_value());
    live.add(Row(kConnectSchema, *decoded));
    Output out = Output::memory();
    REQUIRE(make_json_sink(kConnectSchema, out)->row(Row(kConnectSchema, *decoded)).ok());
    std::string line = out.buffer();
    line.pop_back();
    REQUIRE(reader.read(line) == replay::LineKind::row);
    saved.add(Row(reader.schema(), reader.row()));
  }
  return {written(live), written(saved)};
}

}  // namespace

TEST_CASE("tcpconnect: the summary of saved lines, quantiles too") {
  const auto [live, saved] = both(0, 1);
  CHECK(live.size() > 10'000);
  CHECK(live == saved);
}

TEST_CASE("tcpconnect: without closes the bytes are not known") {
  const auto [live, saved] = both(0, 3);  // connects only
  CHECK(live.find("\"closed\":0,\"tx_bytes\":0") != std::string::npos);
  CHECK(saved.find("\"closed\":null,\"tx_bytes\":null") != std::string::npos);
  CHECK(saved.find("\"tx_bytes\":0") == std::string::npos);
}
