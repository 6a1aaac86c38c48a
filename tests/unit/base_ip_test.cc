#include "base/ip.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <string>

using namespace plumb;

namespace {

std::string text(const IpAddress& a) {
  char out[IpAddress::kMaxText];
  return {out, a.format(out)};
}

IpAddress address(std::string_view s) {
  auto a = IpAddress::parse(s);
  REQUIRE_MESSAGE(a.ok(), std::string(s));
  return *a;
}

}  // namespace

TEST_CASE("addresses read and write as RFC 5952 says") {
  for (const char* s : {"0.0.0.0", "255.255.255.255", "10.1.2.3", "::", "::1", "fd00::1", "2001:db8::1:0:0:1",
                        "2001:db8:1:2:3:4:5:6", "1:2:3:4:5:6:7:8"}) {
    CHECK(text(address(s)) == s);
  }
  CHECK(text(address("2001:DB8:0:0:0:0:0:1")) == "2001:db8::1");
  CHECK(text(IpAddress{}) == "");
}

TEST_CASE("every pattern of zero words is written as inet_ntop writes it") {
  for (unsigned pattern = 0; pattern < 256; ++pattern) {
    for (const std::uint8_t filler : std::initializer_list<std::uint8_t>{0x01, 0x10, 0xab}) {
      std::uint8_t bytes[16] = {};
      for (unsigned word = 0; word < 8; ++word) {
        if ((pattern >> word & 1U) == 0) continue;
        bytes[2 * word] = filler == 0xab ? filler : 0;
        bytes[2 * word + 1] = filler;
      }
      char expected[INET6_ADDRSTRLEN];
      REQUIRE(::inet_ntop(AF_INET6, bytes, expected, sizeof expected) != nullptr);
      CHECK(text(IpAddress::v6(bytes)) == expected);
    }
  }
}

TEST_CASE("the longest text fits kMaxText") {
  const IpAddress a = address("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
  CHECK(text(a) == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST_CASE("a v4-mapped address is IPv4") {
  const IpAddress a = address("::ffff:192.0.2.7");
  CHECK(a.is_v4());
  CHECK(text(a) == "192.0.2.7");
  CHECK(a == address("192.0.2.7"));
  const std::uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
  CHECK(IpAddress::v6(bytes) == a);
  CHECK(address("::fffe:192.0.2.7").is_v6());  // not mapped
  CHECK(address("::192.0.2.7").is_v6());       // compatible, deprecated: stays
}

TEST_CASE("what is no address") {
  for (const char* s : {"", " 1.2.3.4", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/8", "01.2.3.4",
                        "::1::", "fe80::1%lo", "localhost", "12345::"}) {
    CHECK_FALSE(IpAddress::parse(s).ok());
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)).ok());
  CHECK_FALSE(IpAddress::parse(std::string(10'000, '1')).ok());
}

TEST_CASE("a refused address is named in the error") {
  const auto a = IpAddress::parse("example.org");
  REQUIRE_FALSE(a.ok());
  CHECK(a.error().what == "not an address: example.org");
  CHECK_FALSE(a.error().why.empty());
}

TEST_CASE("prefixes contain addresses") {
  struct Case {
    const char* prefix;
    const char* address;
    bool inside;
  };
  for (const Case& c : std::initializer_list<Case>{{"10.0.0.0/8", "10.255.0.1", true},
                                                   {"10.0.0.0/8", "11.0.0.0", false},
                                                   {"0.0.0.0/0", "203.0.113.9", true},
                                                   {"0.0.0.0/0", "::1", false},
                                                   {"192.168.1.128/25", "192.168.1.129", true},
                                                   {"192.168.1.128/25", "192.168.1.127", false},
                                                   {"192.0.2.7", "192.0.2.7", true},
                                                   {"192.0.2.7", "192.0.2.6", false},
                                                   {"192.0.2.7/31", "192.0.2.6", true},
                                                   {"fd00::/8", "fdff::1", true},
                                                   {"fd00::/8", "fe00::1", false},
                                                   {"2001:db8::/127", "2001:db8::1", true},
                                                   {"2001:db8::/127", "2001:db8::2", false},
                                                   {"::/0", "2001:db8::", true},
                                                   {"::ffff:10.0.0.0/104", "10.9.9.9", true},
                                                   {"::ffff:10.0.0.0/104", "11.9.9.9", false},
                                                   {"10.1.2.3/8", "10.200.0.0", true}}) {
    CAPTURE(c.prefix);
    CAPTURE(c.address);
    auto prefix = IpPrefix::parse(c.prefix);
    REQUIRE(prefix.ok());
    CHECK(prefix->contains(address(c.address)) == c.inside);
  }
  CHECK_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(IpAddress{}));
}

TEST_CASE("what is no prefix") {
  for (const char* s : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "fd00::/129", "/8",
                        "10.0.0.0/ 8", "::ffff:10.0.0.0/95", "10.0.0.0/99999999999999999999"}) {
    CAPTURE(s);
    CHECK_FALSE(IpPrefix::parse(s).ok());
  }
}

TEST_CASE("an address by the kernel's family; of another family there is none") {
  constexpr std::uint8_t kBytes[16] = {10, 0, 0, 1};
  CHECK(IpAddress::of(2, kBytes) == *IpAddress::parse("10.0.0.1"));
  CHECK(IpAddress::of(10, kBytes) == *IpAddress::parse("a00:1::"));
  for (const unsigned family : {0U, 1U, 3U, 255U, 65'535U})
    CHECK(IpAddress::of(family, kBytes) == IpAddress{});
}
