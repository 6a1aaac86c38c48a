// drops from the bytes of the ring buffer to the line's values, and the join of retransmits with drops.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "drops/benign.h"
#include "drops/cause.h"
#include "drops/event.h"
#include "drops/options.h"
#include "drops/stack.h"
#include "drops/summary.h"

using namespace plumb;

namespace {

class StoppedClock final : public ClockSource {
 public:
  BootTime boot() const override { return {0}; }
  UnixTime real() const override { return {1'000}; }
};

const StoppedClock kSource;

drops_event event(drops_type type) {
  drops_event e{};
  e.type = static_cast<std::uint8_t>(type);
  e.time_ns = 5;
  e.netns = 7;
  std::strcpy(e.dev, "eth0");
  return e;
}

void put_udp(drops_event& e) {
  const std::uint8_t packet[] = {0x45, 0, 0,   28, 0,   0, 0,    0,    64, 17,   0, 0, 192, 0,
                                 2,    1, 198, 51, 100, 2, 0x10, 0x92, 0,  0x35, 0, 8, 0,   0};
  std::memcpy(e.header, packet, sizeof packet);
  e.header_size = sizeof packet;
  e.ethertype = 0x0800;
}

void put_ends(drops_event& e) {
  e.known |= KNOWN_ENDS;
  e.family = AF_INET;
  e.socket_protocol = 6;
  inet_pton(AF_INET, "10.0.0.1", e.local_addr);
  inet_pton(AF_INET, "10.0.0.2", e.remote_addr);
  e.local_port = 5000;
  e.remote_port = 443;
}

bool decode(const drops_event& e, DropLine& line) {
  static const BootClock clock(kSource);
  return decode_drop(std::as_bytes(std::span(&e, 1)), clock, line);
}

std::string text(const IpAddress& a) {
  char out[IpAddress::kMaxText];
  return std::string(out, a.format(out));
}

std::string value(const DropLine& line, std::string_view key) {
  const Value v = kDropSchema.get(kDropSchema.find(key), &line);
  if (std::holds_alternative<None>(v)) return "null";
  if (const auto* s = std::get_if<std::string_view>(&v)) return std::string(*s);
  if (const auto* n = std::get_if<Name>(&v)) return std::string(n->text);
  if (const auto* u = std::get_if<std::uint64_t>(&v)) return std::to_string(*u);
  if (const auto* a = std::get_if<IpAddress>(&v)) return text(*a);
  return "?";
}

FlowKey flow(std::uint16_t port) {
  return {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"), port, 443};
}

}  // namespace

TEST_CASE("a drop's addresses come from the packet, not from the socket") {
  drops_event e = event(DROPS_DROP);
  put_udp(e);
  put_ends(e);
  e.direction = DIRECTION_IN;
  e.length = 28;
  DropLine line;
  REQUIRE(decode(e, line));
  CHECK(value(line, "src") == "192.0.2.1");
  CHECK(value(line, "src_port") == "4242");
  CHECK(value(line, "dst") == "198.51.100.2");
  CHECK(value(line, "dst_port") == "53");
  CHECK(value(line, "protocol") == "udp");
  CHECK(value(line, "direction") == "in");
  CHECK(value(line, "dev") == "eth0");
  CHECK(value(line, "tcp_flags") == "null");
  CHECK(value(line, "pid") == "null");
  CHECK(value(line, "owner_source") == "null");
  CHECK(value(line, "count") == "1");
}

TEST_CASE("a drop without headers takes the socket's ends, by its direction") {
  drops_event e = event(DROPS_DROP);
  put_ends(e);
  for (const auto direction : {DIRECTION_IN, DIRECTION_OUT}) {
    e.direction = static_cast<std::uint8_t>(direction);
    DropLine line;
    REQUIRE(decode(e, line));
    CHECK(value(line, "src") == (direction == DIRECTION_IN ? "10.0.0.2" : "10.0.0.1"));
    CHECK(value(line, "dst_port") == (direction == DIRECTION_IN ? "5000" : "443"));
    CHECK(value(line, "protocol") == "tcp");
  }
}

TEST_CASE("a reset without a socket goes back to where the packet came from") {
  drops_event e = event(DROPS_RESET);
  put_udp(e);
  e.header[9] = 6;
  e.direction = DIRECTION_OUT;
  DropLine line;
  REQUIRE(decode(e, line));
  CHECK(value(line, "src") == "198.51.100.2");
  CHECK(value(line, "src_port") == "53");
  CHECK(value(line, "dst_port") == "4242");
  CHECK(value(line, "tcp_flags") == "RST");
  CHECK(value(line, "length_bytes") == "null");
}

TEST_CASE("a retransmit tells its connection") {
  drops_event e = event(DROPS_RETRANSMIT);
  put_ends(e);
  e.direction = DIRECTION_OUT;
  e.kind = KIND_TLP;
  e.state = 1;
  e.sequence = 99;
  e.retransmits = 3;
  e.known |= KNOWN_SEQUENCE | KNOWN_RTT | KNOWN_STATE;
  DropLine line;
  REQUIRE(decode(e, line));
  CHECK(value(line, "kind") == "tlp");
  CHECK(value(line, "state") == "established");
  CHECK(value(line, "sequence") == "99");
  CHECK(value(line, "srtt_ms") == "null");  // never measured
  CHECK(value(line, "cause_certainty") == "null");
}

TEST_CASE("records that are none of ours are refused") {
  drops_event e = event(DROPS_DROP);
  DropLine line;
  CHECK(decode(e, line));
  e.type = DROPS_COUNTER;
  CHECK_FALSE(decode(e, line));
  e.type = DROPS_DROP;
  e.direction = 9;
  CHECK_FALSE(decode(e, line));
  e = event(DROPS_DROP);
  e.header_size = 60000;
  CHECK(decode(e, line));
  CHECK_FALSE(decode_drop({}, BootClock(kSource), line));
  std::memset(&e, 0xff, sizeof e);
  CHECK_FALSE(decode(e, line));
}

TEST_CASE("the socket of a packet is at its destination on the way in, at its source on the way out") {
  drops_event e = event(DROPS_DROP);
  put_udp(e);
  DropLine line;
  REQUIRE(decode(e, line));
  CHECK_FALSE(socket_place(line).has_value());
  line.direction = DIRECTION_FORWARD;
  CHECK_FALSE(socket_place(line).has_value());
  line.direction = DIRECTION_IN;
  REQUIRE(socket_place(line).has_value());
  CHECK(socket_place(line)->local_port == 53);
  line.direction = DIRECTION_OUT;
  CHECK(socket_place(line)->local_port == 4242);
}

TEST_CASE("a retransmit's cause: the drop of the same segment, and of no other") {
  CauseJoin join;
  join.dropped(flow(1), {1'000}, 100, 50, "NETFILTER_DROP", "a+0x1");
  join.dropped(flow(1), {2'000}, 150, 50, "XDP", "b+0x1");
  const Duration window{1'000'000};
  auto cause = join.find(flow(1), {5'000}, {149, 1}, window);  // within the first segment
  REQUIRE(cause.has_value());
  CHECK(cause->reason == "NETFILTER_DROP");
  CHECK(cause->same_segment);
  CHECK(cause->age.ns == 4'000);
  cause = join.find(flow(1), {5'000}, {40, 61}, window);  // reaches into the first
  REQUIRE(cause.has_value());
  CHECK(cause->reason == "NETFILTER_DROP");
  CHECK_FALSE(join.find(flow(1), {5'000}, {300, 50}, window).has_value());  // lost elsewhere
  CHECK_FALSE(join.find(flow(1), {5'000}, {40, 60}, window).has_value());
  CHECK_FALSE(join.find(flow(2), {5'000}, {100, 1}, window).has_value());
  CHECK_FALSE(join.find(flow(1), {5'000'000}, {100, 1}, window).has_value());
  CHECK_FALSE(join.find(flow(1), {500}, {100, 1}, window).has_value());  // from the future
}

TEST_CASE("a retransmit's cause: without a sequence number the newest drop of the connection") {
  CauseJoin join;
  join.dropped(flow(1), {1'000}, 100, 50, "NETFILTER_DROP", "a+0x1");
  auto cause = join.find(flow(1), {5'000}, {std::nullopt, 0}, {10'000});
  REQUIRE(cause.has_value());
  CHECK_FALSE(cause->same_segment);
  join.dropped(flow(1), {2'000}, std::nullopt, 0, "XDP", "b+0x1");
  cause = join.find(flow(1), {5'000}, {300, 1}, {10'000});
  REQUIRE(cause.has_value());
  CHECK(cause->reason == "XDP");
  CHECK_FALSE(cause->same_segment);
}

TEST_CASE("sequence numbers wrap, and a SYN takes one") {
  CauseJoin join;
  join.dropped(flow(1), {1}, 0xfffffff0U, 0x20, "R", "l");
  CHECK(join.find(flow(1), {2}, {0x5, 1}, {100})->same_segment);
  CHECK_FALSE(join.find(flow(1), {2}, {0x10, 1}, {100}).has_value());
  join.dropped(flow(2), {1}, 7, 0, "R", "l");
  CHECK(join.find(flow(2), {2}, {7, 0}, {100})->same_segment);
  CHECK_FALSE(join.find(flow(2), {2}, {8, 0}, {100}).has_value());
}

TEST_CASE("the join's memory is bounded") {
  CauseJoin join;
  for (unsigned i = 0; i < 3 * CauseJoin::kMaxFlows; ++i) {
    join.dropped(
        {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"), static_cast<std::uint16_t>(i), 1}, {1},
        i, 1, "R", "l");
    REQUIRE(join.flows() <= CauseJoin::kMaxFlows);
  }
}

TEST_CASE("how far back a cause may lie") {
  CHECK(cause_window(0, 0, 0).ns == 2'000'000'000);  // before the first measurement: 1 s, twice
  CHECK(cause_window(0, 0, 3).ns == 16'000'000'000);
  CHECK(cause_window(50'000, 10'000, 0).ns == 2'000'000'000);  // at least
  CHECK(cause_window(3'000'000, 1'000'000, 1).ns == 16'000'000'000);
  CHECK(cause_window(3'000'000, 1'000'000, 200).ns == 120'000'000'000);  // at most
}

TEST_CASE("--reason becomes what the kernel side compares") {
  auto reasons = DropReasons::from({{"SKB_DROP_REASON_NO_SOCKET", 3},
                                    {"SKB_DROP_REASON_TCP_OLD_ACK", 4},
                                    {"SKB_DROP_REASON_TCP_RFC7323_PAWS", 5},
                                    {"QDISC_X", 196609}},
                                   {});
  auto resets = DropReasons::from({{"SK_RST_REASON_NO_SOCKET", 1}}, {});
  DropsOptions o;
  drops_config c{};
  REQUIRE(configure_drops(o, reasons, resets, c));
  CHECK(c.treatment[3] == TREAT_LOOK);
  CHECK(c.treatment[4] == TREAT_BENIGN);
  CHECK(c.treatment[5] == TREAT_LOOK_ACK);
  CHECK(c.old_timestamp_reason == 5);
  CHECK(c.other_reasons == 0);

  o.all = true;
  c = {};
  REQUIRE(configure_drops(o, reasons, resets, c));
  CHECK(c.treatment[4] == TREAT_SHOW);

  o = {};
  o.reasons = {{"no_socket", false}, {"QDISC_X", false}};
  c = {};
  REQUIRE(configure_drops(o, reasons, resets, c));
  CHECK(c.treatment[3] == TREAT_SHOW);
  CHECK(c.treatment[4] == TREAT_IGNORE);
  CHECK(c.reset_treatment[1] == TREAT_SHOW);
  CHECK(c.reset_treatment[0] == TREAT_IGNORE);
  REQUIRE(c.other_reasons == 1);
  CHECK(c.other_reason[0] == 196609);
  CHECK_FALSE(c.other_exclude);

  o.reasons = {{"NO_SOCKET", true}};
  c = {};
  REQUIRE(configure_drops(o, reasons, resets, c));
  CHECK(c.treatment[3] == TREAT_IGNORE);
  CHECK(c.treatment[4] == TREAT_BENIGN);
  CHECK(c.other_exclude);

  o.reasons = {{"NO_SOKET", false}};
  const auto r = configure_drops(o, reasons, resets, c);
  REQUIRE_FALSE(r);
  CHECK(r.error().hint.find("NO_SOCKET") != std::string::npos);
  CHECK(r.error().hint.find("NO_SOCKET") == r.error().hint.rfind("NO_SOCKET"));  // a reason of resets as well
}

TEST_CASE("what is benign: no packet of a network, no reason at a place that loses nothing") {
  BenignDrops benign;
  benign.set(true, true);
  drops_event e = event(DROPS_DROP);
  put_udp(e);
  DropLine line;
  REQUIRE(decode(e, line));
  const LocationInfo lossy{"nft_do_chain+0x1", "nft_do_chain", Place::lossy};
  const LocationInfo harmless{"skb_queue_purge+0x1", "skb_queue_purge", Place::harmless};
  line.reason = "NOT_SPECIFIED";
  CHECK_FALSE(benign.takes(e, line, lossy));
  CHECK(benign.takes(e, line, harmless));
  line.reason = "NETFILTER_DROP";
  CHECK_FALSE(benign.takes(e, line, harmless));
  line.reason = "NO_SOCKET";
  CHECK_FALSE(benign.takes(e, line, lossy));

  const drops_event message = event(DROPS_DROP);  // neither headers nor a socket with addresses
  CHECK(benign.takes(message, DropLine{}, lossy));
  e.socket_family = AF_UNIX;
  CHECK(benign.takes(e, line, lossy));

  benign.set(true, false);  // a kernel that gives no reasons
  CHECK(benign.takes({}, 0, Place::harmless, 7));
  CHECK_FALSE(benign.takes({}, 0, Place::lossy, 7));
  CHECK_FALSE(benign.takes({}, KNOWN_BARE, Place::tcp, 7));
  benign.set(false, true);  // --all
  CHECK_FALSE(benign.takes(message, DropLine{}, harmless));
  CHECK_FALSE(benign.takes("NOT_SPECIFIED", KNOWN_REASON, Place::harmless, 1));
}

TEST_CASE("what is benign: segments that TCP is done with, if they are seen to be without data and SYN") {
  BenignDrops benign;
  benign.set(true, true);
  drops_event e = event(DROPS_DROP);
  put_udp(e);
  DropLine line;
  REQUIRE(decode(e, line));
  const LocationInfo receive{"tcp_v4_rcv+0x91", "tcp_v4_rcv", Place::tcp};
  line.reason = "NOT_SPECIFIED";
  CHECK_FALSE(benign.takes(e, line, receive));  // a header that is cut off is a loss
  e.known |= KNOWN_BARE;
  CHECK(benign.takes(e, line, receive));
  line.reason = "TCP_CSUM";
  CHECK_FALSE(benign.takes(e, line, receive));
  line.reason = {};
  benign.set(true, false);  // without reasons the same place loses packets too
  CHECK_FALSE(benign.takes(e, line, receive));
  benign.set(true, true);
  CHECK(benign.takes("NOT_SPECIFIED", KNOWN_BARE, Place::tcp, 3));
  CHECK(benign.takes("TCP_CLOSE", KNOWN_REASON | KNOWN_BARE, Place::tcp, 3));
  CHECK_FALSE(benign.takes("TCP_CLOSE", KNOWN_REASON, Place::tcp, 3));  // with data
  CHECK_FALSE(benign.takes("TCP_CLOSE", KNOWN_REASON | KNOWN_BARE, Place::harmless, 3));
  CHECK_FALSE(benign.takes("NOT_SPECIFIED", 0, Place::tcp, 3));
  CHECK_FALSE(benign.takes("NETFILTER_DROP", KNOWN_BARE, Place::tcp, 3));
}

TEST_CASE("a stack is read root first, without the probe; who dropped is below what frees") {
  DropTexts texts(KernelSymbols::open("/dev/null"), DropReasons::from({}, {}), DropReasons::from({}, {}));
  std::vector<std::string_view> frames;
  const __u64 addresses[] = {0x30, 0x20, 0, 0x10, 0, 0};
  read_frames(addresses, texts, &LocationInfo::function, frames);
  CHECK(frames == std::vector<std::string_view>{"0x10", "0x20", "0x30"});
  read_frames({}, texts, &LocationInfo::function, frames);
  CHECK(frames.empty());

  CHECK(dropping_function({}).empty());
  frames = {"ip_rcv", "tcp_v4_rcv", "sk_skb_reason_drop", "__kfree_skb"};
  CHECK(dropping_function(frames) == "tcp_v4_rcv");
  frames = {"kfree_skb"};
  CHECK(dropping_function(frames).empty());
}

TEST_CASE("totals that grew, by how much") {
  DropGrowth growth;
  DropTotal a, b;
  a.key.reason = 1;
  a.total.count = 5, a.total.bytes = 500;
  b.key.reason = 2;
  b.total.count = 1, b.total.bytes = 10;
  CHECK(growth.since_last({a, b}).size() == 2);
  CHECK(growth.since_last({a, b}).empty());
  a.total.count += 2, a.total.bytes += 60;
  const auto grown = growth.since_last({b, a});
  REQUIRE(grown.size() == 1);
  CHECK(grown[0].key.reason == 1);
  CHECK(grown[0].total.count == 2);
  CHECK(grown[0].total.bytes == 60);
  CHECK(growth.since_last({a, b}).empty());
}
