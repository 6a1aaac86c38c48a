#include "dns/message.h"

#include <doctest/doctest.h>

#include <string>

#include "dns/names.h"
#include "dns/rdata.h"
#include "dns/reader.h"
#include "unit/dns_build.h"

using namespace plumb::dns;
using dns_build::Bytes;

namespace {

// A name alone at offset 0.
std::string name_of(const Bytes& bytes, bool& failed) {
  Reader in(bytes);
  std::string out;
  in.name(out);
  failed = in.failed();
  return out;
}

std::string good_name(const Bytes& bytes) {
  bool failed = true;
  std::string out = name_of(bytes, failed);
  CHECK_FALSE(failed);
  return out;
}

bool refused(const Bytes& bytes) {
  bool failed = false;
  const std::string out = name_of(bytes, failed);
  return failed && out.empty();
}

std::string rdata(unsigned type, const Bytes& data) {
  std::string out;
  append_rdata(out, static_cast<std::uint16_t>(type), Reader(data));
  return out;
}

}  // namespace

TEST_CASE("dns: names read as RFC 4343 writes them") {
  CHECK(good_name(Bytes().name("www.Example.com")) == "www.Example.com");
  CHECK(good_name(Bytes().name("")) == ".");
  CHECK(good_name(Bytes().u8(3).raw("a.b").u8(0)) == "a\\.b");
  CHECK(good_name(Bytes().u8(4).raw("a\\b\x7f").u8(0)) == "a\\\\b\\127");
  CHECK(good_name(Bytes().u8(3).raw("\x1b \xff").u8(0)) == "\\027\\032\\255");
  CHECK(good_name(Bytes().name("xn--bcher-kva.example")) == "xn--bcher-kva.example");
}

TEST_CASE("dns: a name is at most 255 bytes, a label at most 63") {
  const std::string label(63, 'x');
  Bytes longest;
  for (int i = 0; i < 3; ++i) longest.u8(63).raw(label);
  Bytes longer = longest;
  longest.u8(61).raw(label.substr(0, 61)).u8(0);  // 3 * 64 + 62 + 1 = 255
  longer.u8(62).raw(label.substr(0, 62)).u8(0);
  CHECK(good_name(longest).size() == 253);
  CHECK(refused(longer));
  CHECK(refused(Bytes().u8(64).raw(std::string(64, 'x')).u8(0)));  // 01: an old extended label
  CHECK(refused(Bytes().u8(0x80).raw(std::string(64, 'x')).u8(0)));
}

TEST_CASE("dns: compression pointers go back only, and so end") {
  CHECK(refused(Bytes().pointer(0)));                 // at itself
  CHECK(refused(Bytes().pointer(2).name("a")));       // forward
  CHECK(refused(Bytes().u8(1).raw("a").pointer(0)));  // a loop through its own start
  CHECK(refused(Bytes().u8(0xc0)));                   // half a pointer
  CHECK(refused(Bytes().u8(5).raw("ab")));            // a label that is cut
  CHECK(refused(Bytes().u8(1).raw("a")));             // no end
  CHECK(refused(Bytes()));

  const Bytes message = Bytes().name("com").u8(7).raw("example").pointer(0).u8(3).raw("www").pointer(5).u8(9);
  Reader in(message);
  in.skip(5 + 10);
  std::string out;
  in.name(out);
  CHECK_FALSE(in.failed());
  CHECK(out == "www.example.com");
  CHECK(in.u8() == 9);  // the name ends behind its own pointer

  // Each piece must begin before the one that points to it: 4 -> 0 is fine, 0 -> 4 is refused.
  const Bytes loop = Bytes().u8(1).raw("a").pointer(4).u8(1).raw("b").pointer(0);
  Reader second(loop);
  second.skip(4);
  out.clear();
  second.name(out);
  CHECK(second.failed());
  CHECK(out.empty());
}

TEST_CASE("dns: a long chain of pointers ends") {
  Bytes message;
  message.name("x");  // 3 bytes
  for (unsigned i = 0; i < 200; ++i) message.pointer(i == 0 ? 0 : 3 + 2 * (i - 1));
  Reader in(message);
  in.skip(3 + 2 * 199);
  std::string out;
  in.name(out);
  CHECK_FALSE(in.failed());
  CHECK(out == "x");
}

TEST_CASE("dns: a query") {
  Message m;
  CHECK(m.decode(dns_build::query(0x1234, "example.org", kAaaa)) == Decoded::whole);
  CHECK(m.id() == 0x1234);
  CHECK_FALSE(m.is_response());
  CHECK(m.has(kRd));
  CHECK(m.name() == "example.org");
  CHECK(m.type() == kAaaa);
  CHECK(m.question_class() == kClassIn);
  CHECK_FALSE(m.edns_udp_bytes().has_value());
  CHECK(m.answers().empty());
}

TEST_CASE("dns: an answer with a chain, TTLs and EDNS with an extended code") {
  Bytes b = dns_build::header(7, 0x8580, 1, 2, 1);
  b.name("www.example.com").u16(kA).u16(1);
  b.pointer(12).u16(kCname).u16(1).u32(60).u16(7).raw(Bytes().u8(4).raw("edge").pointer(16));
  b.pointer(12).u16(kA).u16(1).u32(4294967295U).u16(4).raw(dns_build::address(192, 0, 2, 7));
  b.u8(0).u16(kOpt).u16(1232).u32(0x01008000).u16(0);
  Message m;
  REQUIRE(m.decode(b) == Decoded::whole);
  REQUIRE(m.answers().size() == 2);
  CHECK(m.answers()[0] == "CNAME edge.example.com");
  CHECK(m.answers()[1] == "192.0.2.7");
  CHECK(m.ttls()[0] == "60");
  CHECK(m.ttls()[1] == "4294967295");
  CHECK(m.has(kAa));
  CHECK(m.edns_udp_bytes() == 1232);
  CHECK(m.rcode() == 16);
  CHECK(m.answers_question());

  Message other;
  other.swap(m);
  CHECK(m.answers().empty());
  REQUIRE(other.answers().size() == 2);
  CHECK(other.answers()[1] == "192.0.2.7");
}

TEST_CASE("dns: a chain that leads to nothing has no data") {
  Bytes b = dns_build::header(7, 0x8180, 1, 1);
  b.name("a.b").u16(kA).u16(1).pointer(12).u16(kCname).u16(1).u32(60).u16(2).raw(Bytes().pointer(14));
  Message m;
  REQUIRE(m.decode(b) == Decoded::whole);
  CHECK(m.answers()[0] == "CNAME b");
  CHECK_FALSE(m.answers_question());
}

TEST_CASE("dns: what is cut keeps what stands before, at every length") {
  const Bytes full = dns_build::response(9, "cut.example", kA,
                                         {dns_build::address(10, 0, 0, 1), dns_build::address(10, 0, 0, 2)});
  const std::span<const std::byte> bytes = full;
  Message m;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    CAPTURE(n);
    const Decoded d = m.decode(bytes.first(n));
    CHECK(d == (n < 29 ? Decoded::bad : Decoded::cut));
    if (d == Decoded::bad) continue;
    CHECK(m.cut());
    CHECK(m.name() == "cut.example");
    CHECK(m.answer_count() == 2);
    CHECK(m.answers().size() == (n < 45 ? 0 : 1));
  }
  CHECK(m.decode(bytes) == Decoded::whole);
  CHECK_FALSE(m.cut());
}

TEST_CASE("dns: data of records") {
  CHECK(rdata(kA, dns_build::address(1, 2, 3, 4)) == "1.2.3.4");
  CHECK(rdata(kAaaa, Bytes().u32(0x20010db8).u32(0).u32(0).u32(1)) == "2001:db8::1");
  CHECK(rdata(kAaaa, Bytes().u32(0).u32(0).u32(0xffff).raw(dns_build::address(1, 2, 3, 4))) ==
        "::ffff:1.2.3.4");
  CHECK(rdata(kMx, Bytes().u16(10).name("mail.example")) == "10 mail.example");
  CHECK(rdata(kSrv, Bytes().u16(1).u16(2).u16(5060).name("sip.example")) == "1 2 5060 sip.example");
  CHECK(rdata(kPtr, Bytes().name("host.example")) == "host.example");
  CHECK(rdata(kNs, Bytes().name("")) == ".");
  CHECK(rdata(kSoa, Bytes().name("ns.e").name("root.e").u32(1).u32(2).u32(3).u32(4).u32(5)) ==
        "ns.e root.e 1 2 3 4 5");
  CHECK(rdata(kTxt, Bytes().u8(3).raw("a b").u8(4).raw("q\"\\\n").u8(0)) == R"("a b" "q\"\\\010" "")");
  CHECK(rdata(kCaa, Bytes().u8(128).u8(5).raw("issue").raw("ca.example")) == "128 issue \"ca.example\"");
  CHECK(rdata(99, Bytes().u16(0x0aff)) == "\\# 2 0aff");
  CHECK(rdata(99, Bytes()) == "\\# 0");
}

TEST_CASE("dns: HTTPS and SVCB parameters") {
  CHECK(rdata(kHttps, Bytes().u16(0).name("alias.example")) == "0 alias.example");
  CHECK(rdata(kHttps, Bytes()
                          .u16(1)
                          .name("")
                          .u16(1)
                          .u16(6)
                          .u8(2)
                          .raw("h2")
                          .u8(2)
                          .raw("h3")
                          .u16(3)
                          .u16(2)
                          .u16(8443)
                          .u16(4)
                          .u16(8)
                          .raw(dns_build::address(1, 2, 3, 4))
                          .raw(dns_build::address(5, 6, 7, 8))
                          .u16(2)
                          .u16(0)
                          .u16(667)
                          .u16(2)
                          .raw("hi")) ==
        "1 . alpn=h2,h3 port=8443 ipv4hint=1.2.3.4,5.6.7.8 no-default-alpn key667=\"hi\"");
  CHECK(rdata(kSvcb, Bytes().u16(1).name("s.e").u16(6).u16(16).u32(0x20010db8).u32(0).u32(0).u32(9)) ==
        "1 s.e ipv6hint=2001:db8::9");
}

TEST_CASE("dns: data that does not fit its type is shown as bytes") {
  CHECK(rdata(kA, Bytes().u16(1)) == "\\# 2 0001");
  CHECK(rdata(kMx, Bytes().u16(1)) == "\\# 2 0001");
  CHECK(rdata(kCname, Bytes().name("a").u8(0)) == "\\# 4 01610000");  // a byte too many
  CHECK(rdata(kTxt, Bytes().u8(9).raw("x")) == "\\# 2 0978");
  CHECK(rdata(kHttps, Bytes().u16(1).name("").u16(3).u16(1).u8(9)) == "\\# 8 0001000003000109");
}

TEST_CASE("dns: text that grows stays bounded") {
  // Names of 255 bytes by pointers of two: 20 times as much text as message.
  Bytes b = dns_build::header(1, 0x8180, 1, 4000);
  for (int i = 0; i < 3; ++i) b.u8(63).raw(std::string(63, '\x01'));
  b.u8(0).u16(kNs).u16(1);
  for (int i = 0; i < 4000; ++i) b.u8(0).u16(kNs).u16(1).u32(0).u16(2).pointer(12);
  Message m;
  CHECK(m.decode(b) == Decoded::cut);
  std::size_t text = 0;
  for (const auto answer : m.answers()) text += answer.size();
  CHECK(text < 2 * Message::kMaxText);
  CHECK(m.answer_count() == 4000);
}

TEST_CASE("dns: numbers without a name") {
  NumberText room;
  CHECK(type_name(65, room) == "HTTPS");
  CHECK(type_name(65535, room) == "TYPE65535");
  CHECK(rcode_name(3, room) == "NXDOMAIN");
  CHECK(rcode_name(4095, room) == "RCODE4095");
  CHECK(class_name(3, room) == "CH");
  CHECK(class_name(65535, room) == "CLASS65535");
}

TEST_CASE("dns: names compare without letter case") {
  CHECK(same_name("wWw.ExAmPlE", "WwW.eXaMpLe"));
  CHECK(hash_name("wWw.ExAmPlE") == hash_name("www.example"));
  CHECK_FALSE(same_name("www.example", "www.example2"));
}
