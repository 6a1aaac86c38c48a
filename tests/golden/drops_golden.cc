// drops from the bytes of the ring buffer and of the kernel's totals to the line.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <limits>

#include "drops/enrich.h"
#include "drops/event.h"
#include "drops/stack.h"
#include "drops/summary.h"
#include "golden.h"

using namespace plumb;

namespace {

constexpr std::int64_t kBoot = 1'795'244'966'000'000'000;  // 2026-11-21T07:09:26Z
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kNoSymbol = 0xffff'8881'0000'0123;
constexpr std::uint64_t kNftDoChain = 0xffff'ffff'8140'01a3;
constexpr std::uint64_t kUdpRcv = 0xffff'ffff'8130'04bc;
constexpr const char* kHostile = "\x1b[31m\xff\"\\";

class StoppedClock final : public ClockSource {
 public:
  BootTime boot() const override { return {0}; }
  UnixTime real() const override { return {kBoot}; }
};

DropTexts texts() {
  return {KernelSymbols::open(GOLDEN_DIR "/../data/kallsyms"),
          DropReasons::from({{"SKB_DROP_REASON_NOT_SPECIFIED", 2},
                             {"SKB_DROP_REASON_NO_SOCKET", 3},
                             {"SKB_DROP_REASON_NETFILTER_DROP", 8},
                             {"QDISC_DROP_OVERLIMIT", 0x30001}},
                            {{"SKB_DROP_REASON_SUBSYS_CORE", 0}, {"SKB_DROP_REASON_SUBSYS_QDISC", 3}}),
          DropReasons::from({{"SK_RST_REASON_NO_SOCKET", 1}}, {})};
}

using Bytes = std::vector<std::uint8_t>;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes address(const char* text) {
  const int family = std::strchr(text, ':') == nullptr ? AF_INET : AF_INET6;
  Bytes out(family == AF_INET ? 4 : 16);
  CHECK(::inet_pton(family, text, out.data()) == 1);
  return out;
}

Bytes ipv4(std::uint8_t protocol, const char* source, const char* destination, const Bytes& payload) {
  const auto length = static_cast<std::uint8_t>(20 + payload.size());
  return Bytes{0x45, 0, 0, length, 0, 0, 0, 0, 64, protocol, 0, 0} + address(source) + address(destination) +
         payload;
}

Bytes ipv6(std::uint8_t protocol, const char* source, const char* destination, const Bytes& payload) {
  const auto length = static_cast<std::uint8_t>(payload.size());
  return Bytes{0x60, 0, 0, 0, 0, length, protocol, 64} + address(source) + address(destination) + payload;
}

Bytes tcp(std::uint8_t flags) {  // 51966 -> 443, sequence number 4294967295
  return {0xca, 0xfe, 0x01, 0xbb, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0};
}

Bytes udp(std::uint16_t destination, const Bytes& payload = {}) {
  return Bytes{0x10,
               0x92,
               static_cast<std::uint8_t>(destination >> 8),
               static_cast<std::uint8_t>(destination),
               0,
               static_cast<std::uint8_t>(8 + payload.size()),
               0,
               0} +
         payload;
}

constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kIpv6 = 0x86dd;

drops_event event(drops_type type, drops_direction direction, std::string_view dev) {
  drops_event e{};
  e.type = static_cast<std::uint8_t>(type);
  e.direction = static_cast<std::uint8_t>(direction);
  e.netns = 4026531840;
  dev.copy(e.dev, sizeof e.dev);
  return e;
}

void put_packet(drops_event& e, std::uint16_t ethertype, const Bytes& bytes) {
  REQUIRE(bytes.size() <= sizeof e.header);
  std::memcpy(e.header, bytes.data(), bytes.size());
  e.header_size = static_cast<std::uint16_t>(bytes.size());
  e.length = static_cast<std::uint32_t>(bytes.size());
  e.ethertype = ethertype;
}

void put_reason(drops_event& e, std::uint32_t reason) {
  e.known |= KNOWN_REASON;
  e.reason = reason;
}

void put_ends(drops_event& e, const char* local, const char* remote) {
  e.known |= KNOWN_ENDS;
  e.family = std::strchr(local, ':') == nullptr ? AF_INET : AF_INET6;
  e.socket_protocol = kTcp;
  std::ranges::copy(address(local), e.local_addr);
  std::ranges::copy(address(remote), e.remote_addr);
  e.local_port = 443;
  e.remote_port = 65535;
}

// Feeds one sink; each event is a second later than the one before.
class Feeder {
 public:
  explicit Feeder(Sink& sink) : sink_(sink) {}

  // The line of an event, with what the kernel's names add.
  DropLine& decode(drops_event e) {
    e.time_ns = ++seconds_ * 1'000'000'000 + 1;
    event_ = e;
    line_ = {};
    REQUIRE(decode_drop(std::as_bytes(std::span(&event_, 1)), clock_, line_));
    texts_.name_reason(line_);
    if (line_.type == DROPS_DROP) line_.location = texts_.location(e.location).text;
    line_.owner_source = static_cast<drops_owner_source>(e.owner_source);
    if (line_.type == DROPS_DROP) line_.sequence.reset();
    return line_;
  }
  DropLine& aggregate(const DropTotal& total) {
    line_ = line_of(total, {kBoot + static_cast<std::int64_t>(++seconds_) * 1'000'000'000});
    texts_.name_reason(line_);
    line_.location = texts_.location(total.key.location).text;
    return line_;
  }
  DropLine& counter(std::string_view name, std::uint64_t delta) {
    line_ = {};
    line_.type = DROPS_COUNTER;
    line_.origin.time = {kBoot + static_cast<std::int64_t>(++seconds_) * 1'000'000'000};
    line_.counter = name;
    line_.delta = delta;
    return line_;
  }
  void own(std::uint32_t pid, std::string_view comm, ProcessNames names = {}) {
    line_.origin.pid = pid;
    line_.origin.uid = 1000;
    line_.origin.comm = comm;
    line_.origin.names = names;
  }
  void stack(std::span<const __u64> leaf_first) {
    read_frames(leaf_first, texts_, &LocationInfo::text, frames_);
    line_.stack = frames_;
  }
  void send() { CHECK(sink_.row(Row(kDropSchema, line_)).ok()); }

 private:
  const StoppedClock source_;
  const BootClock clock_{source_};
  DropTexts texts_ = texts();
  Sink& sink_;
  std::uint64_t seconds_ = 0;
  drops_event event_{};
  DropLine line_;
  std::vector<std::string_view> frames_;
};

void feed_drops(Feeder& f) {
  drops_event e = event(DROPS_DROP, DIRECTION_IN, "eth0");
  put_packet(e, kIpv4, ipv4(kTcp, "192.0.2.7", "192.0.2.1", tcp(0x02)));
  put_reason(e, 8);
  e.location = kNftDoChain;
  e.known |= KNOWN_STATE;
  e.state = 10;
  e.owner_source = OWNER_RX_SK;
  f.decode(e);
  f.own(4294967295U, "sixteen-bytes-ok", {"web", "web-7d9c5b6f4d-x2x9z", "shop"});
  f.send();

  e = event(DROPS_DROP, DIRECTION_OUT, "\x1b]0;x\x07");
  put_packet(e, kIpv6,
             ipv6(kUdp, "2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:7777:8888:9999:aaaa:bbbb:cccc",
                  udp(53)));
  put_reason(e, 3);
  e.location = kUdpRcv;
  e.owner_source = OWNER_TABLE;
  f.decode(e);
  f.own(99, kHostile, {kHostile, kHostile, kHostile});
  f.send();

  e = event(DROPS_DROP, DIRECTION_IN, "a-device-name-16");  // no NUL at the end
  put_packet(e, kArp,
             Bytes{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1} + address("192.0.2.1") +
                 Bytes{0, 0, 0, 0, 0, 0} + address("192.0.2.9"));
  e.location = kNoSymbol;  // and this kernel gives no reason
  f.decode(e);
  f.send();

  e = event(DROPS_DROP, DIRECTION_FORWARD, "vxlan0");
  const Bytes inner = Bytes(12) + Bytes{0x86, 0xdd} + ipv6(kTcp, "fd00::1", "fd00::2", tcp(0x18));
  put_packet(e, kIpv4,
             ipv4(kUdp, "10.0.0.1", "203.0.113.9", udp(4789, Bytes{8, 0, 0, 0, 0, 0, 42, 0} + inner)));
  put_reason(e, 0x30001);
  e.location = kNftDoChain;
  f.decode(e);
  f.send();

  e = event(DROPS_DROP, DIRECTION_UNKNOWN, "");  // nothing is known but that it was
  e.netns = 0;
  put_reason(e, 0x3ffff);  // a number without a name
  e.location = kNoSymbol;
  f.decode(e);
  f.send();

  e = event(DROPS_DROP, DIRECTION_IN, "lo");
  put_packet(e, kIpv4, ipv4(kTcp, "127.0.0.1", "127.0.0.1", tcp(0xff)));
  put_reason(e, 2);
  e.location = 0xffff'ffff'8120'0091;
  f.decode(e);
  f.stack(std::array<__u64, 6>{0xffff'ffff'8160'0010, 0xffff'ffff'8150'0020, 0xffff'ffff'8120'0091, kNoSymbol,
                               0xffff'ffff'8110'0073, 0});
  f.send();

  DropTotal most;
  most.key.type = DROPS_DROP;
  most.key.known = KNOWN_REASON;
  most.key.reason = 3;
  most.key.location = kUdpRcv;
  most.key.direction = DIRECTION_IN;
  most.key.netns = 4294967295U;
  most.total.count = kMost;
  most.total.bytes = kMost;
  f.aggregate(most);
  f.send();
}

void feed_connections(Feeder& f) {
  drops_event e = event(DROPS_RETRANSMIT, DIRECTION_OUT, "eth0");
  put_ends(e, "192.0.2.1", "192.0.2.7");
  e.known |= KNOWN_SEQUENCE | KNOWN_RTT | KNOWN_STATE;
  e.sequence = 4294967295U;
  e.length = 1460;
  e.srtt_us = 4294967295U;
  e.retransmits = 4294967295U;
  e.state = 1;
  e.kind = KIND_FAST;
  e.owner_source = OWNER_SOCKET;
  DropLine& line = f.decode(e);
  f.own(4242, "curl");
  line.cause = "NETFILTER_DROP";
  line.cause_location = "nft_do_chain+0x1a3";
  line.cause_is_segment = true;
  line.cause_age = Duration{204'123'456};
  f.send();

  e = event(DROPS_RETRANSMIT, DIRECTION_OUT, "");
  put_ends(e, "::1", "::1");
  e.kind = KIND_SYN_ACK;
  f.decode(e);
  f.send();

  e = event(DROPS_RESET, DIRECTION_OUT, "lo");  // to nobody's port
  put_packet(e, kIpv4, ipv4(kTcp, "127.0.0.1", "127.0.0.2", tcp(0x02)));
  put_reason(e, 1);
  f.decode(e);
  f.send();

  e = event(DROPS_RESET, DIRECTION_IN, "eth0");
  put_ends(e, "fd00::1", "fd00::2");
  e.owner_source = OWNER_SOCKET;
  f.decode(e);
  f.own(1,
        "py\xe2\x80\xae"
        "exe");  // U+202E
  f.send();
}

void feed_counters(Feeder& f) {
  f.counter("TcpExtListenOverflows", kMost);
  f.send();
  DropLine& line = f.counter("qdisc_drops", 1);
  line.origin.netns = 4026532177;
  line.dev = kHostile;
  line.hint = "The queue of the device was full.";
  f.send();
}

void feed(Sink& sink) {
  Feeder f(sink);
  feed_drops(f);
  CHECK(sink.lost({UnixTime{kBoot + 7'500'000'000}, 18, "no room left in the kernel's buffers"}).ok());
  feed_connections(f);
  feed_counters(f);
}

void feed_summary(Sink& sink) {
  DropTexts names = texts();
  std::array<DropTotal, 4> totals{};
  DropTotal& flow = totals[0];
  flow.key.type = DROPS_DROP;
  flow.key.known = KNOWN_REASON;
  flow.key.reason = 8;
  flow.key.location = kNftDoChain;
  flow.key.netns = 4026531840;
  flow.key.direction = DIRECTION_IN;
  flow.key.family = AF_INET6;
  flow.key.protocol = kTcp;
  flow.key.dst_port = 65535;
  std::ranges::copy(address("2001:db8:1111:2222:3333:4444:5555:6666"), flow.key.src);
  std::ranges::copy(address("2001:db8:7777:8888:9999:aaaa:bbbb:cccc"), flow.key.dst);
  flow.total.count = kMost;
  flow.total.bytes = kMost;
  std::strcpy(flow.total.dev, "\x1b]0;x\x07");

  DropTotal& resent = totals[1];
  resent.key.type = DROPS_RETRANSMIT;
  resent.key.reason = KIND_TLP;
  resent.key.family = AF_INET;
  resent.key.protocol = kTcp;
  resent.key.direction = DIRECTION_OUT;
  std::ranges::copy(address("192.0.2.1"), resent.key.src);
  std::ranges::copy(address("192.0.2.7"), resent.key.dst);
  resent.total.count = 3;
  resent.total.bytes = 4380;

  DropTotal& arp = totals[2];
  arp.key.type = DROPS_DROP;
  arp.key.protocol = DROPS_PROTOCOL_ARP;
  arp.key.location = kNoSymbol;
  arp.total.count = 1;

  totals[3].key.type = DROPS_RESET;  // grouped by nothing
  totals[3].total.count = 2;

  for (const DropTotal& total : totals) {
    const DropSummary s = describe(total, names);
    CHECK(sink.row(Row(kDropSummarySchema, s)).ok());
  }
}

}  // namespace

TEST_CASE("drops lines") {
  golden::compare_all("drops", kDropSchema, {kBoot}, feed);
}

TEST_CASE("drops summary") {
  golden::compare_all("drops-summary", kDropSummarySchema, {kBoot}, feed_summary);
}

TEST_CASE("drops on terminals") {
  const std::vector<std::string> columns{
      "time", "type",     "pid",          "comm", "reason",    "protocol", "src",     "src_port",
      "dst",  "dst_port", "length_bytes", "dev",  "direction", "location", "counter", "delta"};
  const Sentences counters{.types = 1U << DROPS_COUNTER, .append = append_counter_sentence};
  golden::compare_screens("drops", kDropSchema, {kBoot}, feed, {.columns = columns, .sentences = counters});
  std::vector<std::string> with_stack = columns;
  with_stack.emplace_back("stack");
  golden::compare_screens("drops-stack", kDropSchema, {kBoot}, feed,
                          {.columns = with_stack, .sentences = counters});
  golden::compare_screens("drops-summary", kDropSummarySchema, {kBoot}, feed_summary, {.contents = true});
}

TEST_CASE("drops live table") {
  golden::compare_top("drops", kDropSchema, {"type", "reason", "location", "dev"}, feed);
}
