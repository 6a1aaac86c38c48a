#include "dns/known_names.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/dns_build.h"

using namespace plumb;
using namespace plumb::dns;
using dns_build::Bytes;

namespace {

BootTime s(double seconds) {
  return {static_cast<std::uint64_t>((1000 + seconds) * 1e9)};
}

// One record of an answer section, named as the question.
struct Record {
  unsigned type;
  std::uint32_t ttl;
  Bytes data;
};

Bytes a(unsigned last) {
  return Bytes().u8(192).u8(0).u8(2).u8(last);
}

struct Names {
  KnownNames known;
  std::uint32_t pid = 42;
  std::uint32_t netns = 1;

  void learn(double at, std::string_view name, const std::vector<Record>& records,
             Outcome outcome = Outcome::answered, Role role = Role::client) {
    Bytes bytes = dns_build::header(7, 0x8180, 1, static_cast<unsigned>(records.size()));
    bytes.name(name).u16(1).u16(1);
    for (const Record& r : records) {
      bytes.pointer(dns_build::kQuestionName).u16(r.type).u16(1).u32(r.ttl);
      bytes.u16(static_cast<unsigned>(r.data.size())).raw(r.data);
    }
    Lookup lookup;
    lookup.role = role;
    lookup.outcome = outcome;
    lookup.netns = netns;
    lookup.owner.pid = pid;
    lookup.type = 1;
    lookup.name = name;
    lookup.answered = s(at);
    REQUIRE(lookup.answer.decode(bytes) == Decoded::whole);
    known.learn(lookup);
  }

  std::string find(double at, unsigned last = 1, std::uint32_t by = 42) {
    return std::string(known.find({netns, *IpAddress::parse("192.0.2." + std::to_string(last)), by, s(at)}));
  }
};

}  // namespace

TEST_CASE("known names: from the answer until its TTL and some grace are over") {
  Names n;
  n.learn(0, "a.test", {{1, 60, a(1)}});
  CHECK(n.find(-0.001).empty());
  CHECK(n.find(0) == "a.test");
  CHECK(n.find(70) == "a.test");
  CHECK(n.find(70.001).empty());
  CHECK(n.find(0, 2).empty());
  n.netns = 2;
  CHECK(n.find(0).empty());
}

TEST_CASE("known names: the shortest TTL of a chain counts, and all of its addresses") {
  Names n;
  n.learn(0, "a.test", {{5, 5, Bytes().name("b.test")}, {1, 300, a(1)}, {1, 300, a(2)}});
  CHECK(n.find(15, 1) == "a.test");
  CHECK(n.find(15, 2) == "a.test");
  CHECK(n.find(16, 2).empty());
}

TEST_CASE("known names: an answer again prolongs; after a gap it begins anew") {
  Names n;
  n.learn(0, "a.test", {{1, 60, a(1)}});
  n.learn(50, "A.test", {{1, 60, a(1)}});
  CHECK(n.known.size() == 1);
  CHECK(n.find(10) == "a.test");
  CHECK(n.find(120) == "a.test");
  n.learn(1000, "a.test", {{1, 60, a(1)}});
  CHECK(n.find(500).empty());
  CHECK(n.find(1000) == "a.test");
}

TEST_CASE("known names: of several names the process's own, then the one asked for just before, else none") {
  Names n;
  n.learn(0, "a.test", {{1, 600, a(1)}});
  n.pid = 43;
  n.learn(10, "b.test", {{1, 600, a(1)}});
  CHECK(n.find(20, 1, 42) == "a.test");
  CHECK(n.find(20, 1, 43) == "b.test");
  CHECK(n.find(5, 1, 43) == "a.test");  // b.test was not known yet
  CHECK(n.find(20, 1, 44).empty());
  CHECK(n.find(10.5, 1, 44) == "b.test");
  CHECK(n.find(20, 1, 0).empty());
  n.learn(30, "c.test", {{1, 600, a(1)}});
  CHECK(n.find(30.5, 1, 43) == "c.test");
  CHECK(n.find(40, 1, 43).empty());  // not a.test, which it never asked for
  CHECK(n.find(40, 1, 42) == "a.test");
}

TEST_CASE("known names: only an answered lookup of a client teaches one") {
  Names n;
  n.learn(0, "a.test", {{1, 60, a(1)}}, Outcome::late);
  n.learn(0, "b.test", {{1, 60, a(1)}}, Outcome::answered, Role::server);
  n.learn(0, "c.test", {{16, 60, Bytes().u8(9).raw("192.0.2.1")}});
  CHECK(n.known.size() == 0);
}

TEST_CASE("known names: bounded, and what was learnt first goes first") {
  Names n;
  for (unsigned i = 0; i <= KnownNames::kMaxNamesOfAddress; ++i)
    n.learn(i, "n" + std::to_string(i) + ".test", {{1, 600, a(1)}});
  CHECK(n.known.size() == KnownNames::kMaxNamesOfAddress);
  CHECK(n.find(0).empty());
  for (std::size_t i = 0; i < 2 * KnownNames::kMaxNames; ++i) {
    n.netns = static_cast<std::uint32_t>(100 + i);
    n.learn(20, "a.test", {{1, 600, a(1)}});
  }
  CHECK(n.known.size() == KnownNames::kMaxNames);
  CHECK(n.find(20) == "a.test");
  n.netns = 100;
  CHECK(n.find(20).empty());
}
