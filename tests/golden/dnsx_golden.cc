// dnsx from packets to the line.
#include <doctest/doctest.h>

#include <cstring>

#include "dns/matcher.h"
#include "dnsx/event.h"
#include "dnsx/wire.h"
#include "golden.h"
#include "unit/dns_build.h"

using namespace plumb;
using dns_build::Bytes;

namespace {

constexpr std::int64_t kBoot = 1'795'244'966'000'000'000;  // 2026-11-21T07:09:26Z

class StoppedClock final : public ClockSource {
 public:
  BootTime boot() const override { return {0}; }
  UnixTime real() const override { return {kBoot}; }
};

dns::Owner owner(std::uint32_t pid, std::string_view comm) {
  dnsx_owner identity{};
  identity.task.pid = identity.task.tid = pid;
  identity.task.uid = 1000;
  std::memcpy(identity.task.comm, comm.data(), std::min(comm.size(), sizeof identity.task.comm));
  dns::Owner out;
  out.pid = out.tid = pid;
  std::memcpy(out.identity.data(), &identity, sizeof identity);
  return out;
}

struct Wire {
  dns::Matcher matcher;
  std::uint64_t now_us = 1'000'000;
  std::uint16_t port = 40000;

  void packet(dns::Direction direction, const Bytes& bytes, const dns::Owner* who, const char* client,
              const char* server) {
    dns::Sighting s;
    s.time = {now_us * 1000};
    s.direction = direction;
    s.netns = 4026531840;
    s.ifindex = 2;
    s.socket = direction == dns::Direction::sent ? port : 0U;
    const dns::Endpoint from{*IpAddress::parse(client), port};
    const dns::Endpoint to{*IpAddress::parse(server), 53};
    s.source = direction == dns::Direction::sent ? from : to;
    s.destination = direction == dns::Direction::sent ? to : from;
    s.owner = who;
    s.payload = bytes;
    s.length = static_cast<std::uint32_t>(bytes.size());
    matcher.see(s);
  }
  void ask(const Bytes& query, const dns::Owner* who, const char* client = "192.0.2.1",
           const char* server = "192.0.2.53") {
    packet(dns::Direction::sent, query, who, client, server);
  }
  void answer(std::uint64_t after_us, const Bytes& response, const char* client = "192.0.2.1",
              const char* server = "192.0.2.53") {
    now_us += after_us;
    packet(dns::Direction::received, response, nullptr, client, server);
  }
  void read(std::uint64_t after_us) {
    now_us += after_us;
    matcher.see(dns::Pickup{{now_us * 1000}, port, nullptr, dns::Transport::udp});
    now_us += 1'000'000;
    ++port;
  }
};

Bytes chain() {
  Bytes b = dns_build::header(1, 0x8580, 1, 3);
  b.name("www.example.com").u16(1).u16(1);
  b.pointer(12).u16(5).u16(1).u32(60).u16(7).raw(Bytes().u8(4).raw("edge").pointer(16));
  b.pointer(12).u16(1).u16(1).u32(20).u16(4).raw(dns_build::address(192, 0, 2, 7));
  b.pointer(12).u16(1).u16(1).u32(4294967295U).u16(4).raw(dns_build::address(192, 0, 2, 8));
  return b;
}

// With --libc, and what is no lookup of our own.
void feed_calls(Sink& sink, const BootClock& clock, const dns::Owner& who) {
  dns::Lookup lookup;
  lookup.outcome = dns::Outcome::unreachable;
  lookup.attempts = 2;
  lookup.owner = owner(53, "systemd-resolve");
  lookup.caller = who;
  lookup.name = "behind.example";
  lookup.type = 1;
  lookup.asked = {9'000'000'000};
  CHECK(sink.row(Row(kQuerySchema, Query(lookup, clock))).ok());
  dns::Lookup connection;
  connection.outcome = dns::Outcome::encrypted;
  connection.transport = dns::Transport::doh;
  connection.attempts = 1;
  connection.owner = who;
  connection.server = {*IpAddress::parse("9.9.9.9"), 443};
  connection.asked = {9'100'000'000};
  CHECK(sink.row(Row(kQuerySchema, Query(connection, clock))).ok());
  dns::Call call;
  call.owner = who;
  call.name = "behind.example";
  call.began = {8'999'000'000};
  call.ended = BootTime{9'000'500'000};
  call.error = -3;
  call.attempts = 2;
  CHECK(sink.row(Row(kQuerySchema, Query(call, clock))).ok());
  call.function = dns::CallFunction::gethostbyname;
  call.type = 28;
  call.name = "printer\x1b.example";
  call.error = 0;
  call.attempts = 0;
  call.set_answers({*IpAddress::parse("2001:db8::7")});
  CHECK(sink.row(Row(kQuerySchema, Query(call, clock))).ok());
}

// Every kind of line; names and texts are hostile where they can be.
void feed(Sink& sink) {
  const StoppedClock source;
  const BootClock clock(source);
  Wire wire{dns::Matcher({})};
  std::size_t n = 0;
  const auto drain = [&] {
    while (const dns::Lookup* lookup = wire.matcher.next()) {
      const Query query(*lookup, clock);
      CHECK(sink.row(Row(kQuerySchema, query)).ok());
      if (++n == 5)
        CHECK(sink.lost({UnixTime{kBoot + 5'500'000'000}, 18, "no room left in the kernel's buffers"}).ok());
    }
  };
  const dns::Owner curl = owner(4242, "curl");
  const dns::Owner evil = owner(4294967295U, "\x1b[31m\xff\"\\");
  wire.ask(dns_build::query(1, "www.example.com"), &curl);
  wire.answer(1234, chain());
  wire.read(56);
  drain();
  wire.ask(dns_build::query(2, "nowhere.example", 28), &curl, "2001:db8::1", "2001:db8::53");
  wire.answer(20'000, dns_build::response(2, "nowhere.example", 28, {}, 0x8183), "2001:db8::1",
              "2001:db8::53");
  wire.read(1);
  drain();
  wire.ask(dns_build::query(3, "empty.example", 15), &curl);
  wire.answer(999, dns_build::response(3, "empty.example", 15, {}));
  wire.read(1);
  drain();
  const Bytes odd = Bytes().u8(6).raw("a.\x1b\xff\"\\").u8(0);
  wire.ask(dns_build::header(4, 0x0110, 1, 0).raw(odd).u16(4711).u16(1), &evil);
  wire.answer(5, dns_build::header(4, 0x8190, 1, 1)
                     .raw(odd)
                     .u16(4711)
                     .u16(1)
                     .pointer(12)
                     .u16(4711)
                     .u16(1)
                     .u32(0)
                     .u16(2)
                     .u16(0x0aff));
  wire.read(1);
  drain();
  wire.ask(dns_build::query(5, "t.example", 16), &evil);
  wire.answer(5, dns_build::response(5, "t.example", 16, {Bytes().u8(5).raw("\x1b[2J\""), Bytes().u8(0)}));
  wire.read(2'000'000);
  drain();
  wire.ask(dns_build::query(6, "unread.example"), nullptr);
  wire.answer(1, dns_build::response(7, "unread.example", 1, {dns_build::address(6, 6, 6, 6)}));
  wire.answer(1, dns_build::response(6, "unread.example", 1, {dns_build::address(192, 0, 2, 9)}));
  ++wire.port;
  wire.ask(dns_build::query(8, "dead.example"), &curl);
  wire.now_us += 2'500'000;
  wire.ask(dns_build::query(8, "dead.example"), &curl);
  wire.now_us += 6'000'000;
  wire.matcher.advance({wire.now_us * 1000});
  drain();
  wire.answer(1'000'000, dns_build::response(8, "dead.example", 1, {}, 0x8182));
  drain();
  ++wire.port;
  wire.ask(dns_build::query(9, "pending.example"), &curl);
  wire.matcher.finish();
  drain();
  feed_calls(sink, clock, curl);
}

}  // namespace

TEST_CASE("dnsx lines") {
  golden::compare_all("dnsx", kQuerySchema, {kBoot}, feed);
}

TEST_CASE("dnsx live table") {
  golden::compare_top("dnsx", kQuerySchema, {"name", "rcode"}, feed);
}

TEST_CASE("dnsx on terminals") {
  golden::compare_screens(
      "dnsx", kQuerySchema, {kBoot}, feed,
      {.columns = {"time", "pid", "comm", "name", "qtype", "outcome", "rcode", "latency_ms", "answers"}});
}

TEST_CASE("dnsx summary by two fields") {
  golden::compare_summary("dnsx", kQuerySchema, {"name", "qtype"}, feed);
}
