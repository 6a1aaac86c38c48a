#include "dns/matcher.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dns/names.h"
#include "unit/dns_build.h"
#include "unit/dns_host.h"

using namespace plumb;
using namespace plumb::dns;
using namespace dns_host;

TEST_CASE("dns matcher: asked, answered, read") {
  Host h;
  h.ask(0, dns_build::query(1, "a.example"));
  CHECK(h.told().empty());
  h.answer(7, a(1, "a.example"));
  CHECK(h.told().empty());  // not read yet
  h.read(9);
  CHECK(h.told() == "a.example answered x1 7ms read+2; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: what is never read is told all the same") {
  Host h;
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(7, a(1, "a.example"));
  h.matcher.advance(ms(5006));
  CHECK(h.told().empty());
  h.matcher.advance(ms(5008));
  CHECK(h.told() == "a.example answered x1 7ms; ");
}

TEST_CASE("dns matcher: outcomes") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "none.example"));
  h.answer(1, empty(1, "none.example", 0));
  h.ask(2, dns_build::query(2, "nx.example"));
  h.answer(3, empty(2, "nx.example", 3));
  CHECK(h.told() == "none.example nodata x1 1ms; nx.example answered x1 1ms; ");
}

TEST_CASE("dns matcher: an answer belongs to its id, question, server and namespace") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(1, a(2, "a.example"));
  h.answer(1, a(1, "b.example"));
  h.answer(1, dns_build::response(1, "a.example", kAaaa, {}));
  h.server = end("10.6.6.6", 53);
  h.answer(1, a(1, "a.example"));
  h.server = end("10.0.0.53", 53);
  h.netns = 2;
  h.answer(1, a(1, "a.example"));
  h.netns = 1;
  CHECK(h.told().empty());
  h.answer(5, a(1, "A.eXample"));  // letter case is no difference
  CHECK(h.told() == "a.example answered x1 5ms misfits4; ");
  h.answer(6, a(1, "a.example"));  // once more: of no lookup that waits
  CHECK(h.told().empty());
}

TEST_CASE("dns matcher: no answer is a timeout, and one that comes after is late") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.matcher.advance(ms(5400));
  CHECK(h.told().empty());  // a resolver with the same timeout may go on
  h.matcher.advance(ms(5501));
  CHECK(h.told() == "a.example timeout x1; ");
  h.answer(7000, a(1, "a.example"));
  CHECK(h.told() == "a.example late x1 7000ms; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: a timeout that is forgotten") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.matcher.advance(ms(6000));
  h.matcher.advance(ms(31'000));
  CHECK(h.told() == "a.example timeout x1; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: an answer before a timeout is told is no late one") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.matcher.advance(ms(6000));
  h.answer(6001, a(1, "a.example"));
  CHECK(h.told() == "a.example answered x1 6001ms; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: the trace's end is no timeout") {
  Host h;
  h.ask(0, dns_build::query(1, "a.example"));
  h.ask(0, dns_build::query(2, "b.example"));
  h.answer(1, a(2, "b.example"));
  h.matcher.finish();
  CHECK(h.told() == "b.example answered x1 1ms; a.example pending x1; ");
}

TEST_CASE("dns matcher: sent again, and another server from a new socket with the same id") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.ask(2500, dns_build::query(1, "a.example"));
  h.client = end("10.0.0.2", 40001);
  h.server = end("10.0.0.54", 53);
  h.socket = 0xdef;
  h.ask(5003, dns_build::query(1, "a.example"));
  h.answer(5005, a(1, "a.example"));
  CHECK(h.told() == "a.example answered x3 5005ms; ");
}

TEST_CASE("dns matcher: another id is another attempt only when the first one has waited") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.client.port = 40001;
  h.ask(500, dns_build::query(2, "a.example"));
  h.answer(501, a(2, "a.example"));
  CHECK(h.told() == "a.example answered x1 1ms; ");  // a lookup of its own
  h.client.port = 40002;
  h.ask(2000, dns_build::query(3, "a.example"));
  h.answer(2001, a(3, "a.example"));
  CHECK(h.told() == "a.example answered x2 2001ms; ");
}

TEST_CASE("dns matcher: servers that are asked at once from one socket") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.server = end("10.0.0.54", 53);
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(2, a(1, "a.example"));
  h.server = end("10.0.0.53", 53);
  h.answer(3, a(1, "a.example"));
  CHECK(h.told() == "a.example answered x2 2ms; ");
}

TEST_CASE("dns matcher: one packet at several devices counts once") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.ifindex = 3;
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(4, a(1, "a.example"));
  h.ifindex = 2;
  h.answer(4, a(1, "a.example"));
  CHECK(h.told() == "a.example answered x1 4ms; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: a forwarded packet is nobody's lookup here") {
  Host h(no_pickup());
  h.socket = 0;
  h.owner.pid = 0;
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(4, a(1, "a.example"));
  h.matcher.finish();
  CHECK(h.told().empty());
}

TEST_CASE("dns matcher: an answer seen before its query") {
  Host h(no_pickup());
  h.answer(4, a(1, "a.example"));
  h.ask(3, dns_build::query(1, "a.example"));
  CHECK(h.told() == "a.example answered x1 1ms; ");
  h.ask(10, dns_build::query(1, "a.example"));  // it is used up
  CHECK(h.told().empty());
}

TEST_CASE("dns matcher: truncated, then over TCP") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(1, dns_build::response(1, "a.example", kA, {}, 0x8380));
  CHECK(h.told().empty());
  h.transport = Transport::tcp;
  h.client.port = 50000;
  Bytes query;
  const Bytes q = dns_build::query(1, "a.example");
  query.u16(static_cast<unsigned>(q.size())).raw(q);
  h.ask(3, query);
  Bytes answer;
  const Bytes r = a(1, "a.example");
  answer.u16(static_cast<unsigned>(r.size())).raw(r);
  h.answer(5, answer);
  CHECK(h.told() == "a.example answered x2 5ms tcp TC; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: truncated, and nobody asks again") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(1, dns_build::response(1, "a.example", kA, {}, 0x8380));
  h.matcher.advance(ms(5002));
  CHECK(h.told() == "a.example answered x1 1ms TC; ");
}

TEST_CASE("dns matcher: both roles on one host") {
  Matcher::Options options = no_pickup();
  options.server = true;
  Host h(options);
  const Owner named = owner_of(53);
  const Bytes q = dns_build::query(1, "a.example");
  const Bytes r = a(1, "a.example");
  h.ask(0, q);
  Sighting in = h.sighting(1, Direction::received, q);
  in.source = h.client;
  in.destination = h.server;
  h.matcher.see(in);
  Sighting out = h.sighting(3, Direction::sent, r);
  out.source = h.server;
  out.destination = h.client;
  out.socket = 0x53;
  out.owner = &named;
  h.matcher.see(out);
  CHECK(h.told() == "a.example answered x1 2ms server; ");
  h.answer(4, r);
  CHECK(h.told() == "a.example answered x1 4ms; ");
  in.time = ms(5);
  h.matcher.see(in);  // never answered
  h.matcher.advance(ms(60'000));
  CHECK(h.told() == "a.example timeout x1 server; ");
  h.matcher.advance(ms(60'001));
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: an owner that is known only when it reads") {
  Host h;
  const Owner reader = h.owner;
  h.owner.pid = 0;
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(1, a(1, "a.example"));
  h.owner = reader;
  h.read(2);
  const Lookup* l = h.matcher.next();
  REQUIRE(l != nullptr);
  CHECK(l->owner.pid == 42);
}

TEST_CASE("dns matcher: the first owner stays") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.owner = owner_of(7);
  h.ask(1, dns_build::query(1, "a.example"));
  h.answer(2, a(1, "a.example"));
  const Lookup* l = h.matcher.next();
  REQUIRE(l != nullptr);
  CHECK(l->owner.pid == 42);
}

TEST_CASE("dns matcher: an error without its question") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(2, dns_build::header(2, 0x8181, 0, 0));
  CHECK(h.told().empty());
  h.answer(3, dns_build::header(1, 0x8181, 0, 0));
  CHECK(h.told() == "a.example answered x1 3ms misfits1; ");
}

TEST_CASE("dns matcher: reads fit answers in their order") {
  Host h;
  for (unsigned id = 1; id <= 2; ++id) h.ask(id, dns_build::query(id, "a.example", id == 1 ? kA : kAaaa));
  h.answer(5, dns_build::response(2, "a.example", kAaaa, {}));
  h.answer(6, a(1, "a.example"));
  h.read(10);
  h.read(20);
  CHECK(h.told() == "a.example nodata x1 3ms read+5; a.example answered x1 5ms read+14; ");
}

TEST_CASE("dns matcher: a search list's misses name the wanted name") {
  OneList lists;
  lists.conf = parse_resolv_conf("search ns.local local");
  Matcher::Options options = no_pickup();
  options.search = &lists;
  Host h(options);
  h.ask(0, dns_build::query(1, "db.ns.local"));
  h.answer(1, empty(1, "db.ns.local", 3));
  CHECK(h.told().empty());  // waits for its successor
  h.ask(2, dns_build::query(2, "db.local"));
  h.answer(3, a(2, "db.local"));
  CHECK(h.told() == "db.local answered x1 1ms of:db; ");
  h.matcher.advance(ms(102));
  CHECK(h.told() == "db.ns.local answered x1 1ms of:db; ");
  h.ask(1000, dns_build::query(3, "nx.ns.local"));
  h.answer(1001, empty(3, "nx.ns.local", 3));
  h.matcher.advance(ms(1102));
  CHECK(h.told() == "nx.ns.local answered x1 1ms; ");
}

TEST_CASE("dns matcher: bounded, and what finds no room is counted") {
  Matcher::Options options = no_pickup();
  options.max_lookups = 100;
  Host h(options);
  for (unsigned id = 0; id < 1000; ++id) h.ask(id, dns_build::query(id, "a.example"));
  CHECK(h.matcher.size() == 100);
  CHECK(h.matcher.lost() == 900);
  h.answer(1000, a(999, "a.example"));
  CHECK(h.told() == "a.example answered x1 1ms; ");
  h.matcher.advance(ms(20'000));
  const std::string told = h.told();
  CHECK(std::count(told.begin(), told.end(), ';') == 99);
  // What was told gives way first.
  for (unsigned id = 0; id < 100; ++id) h.ask(20'000, dns_build::query(id, "b.example"));
  CHECK(h.matcher.lost() == 900);
}

TEST_CASE("dns matcher: attempts without end") {
  Host h(no_pickup());
  for (unsigned i = 0; i < 100; ++i) {
    h.client.port = static_cast<std::uint16_t>(40000 + i);
    h.ask(i, dns_build::query(1, "a.example"));
  }
  h.answer(101, a(1, "a.example"));
  CHECK(h.told() == "a.example answered x100 101ms; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: any order of the same sightings tells the same") {
  // Query, answer and their copies at a second device, in all orders that keep nothing.
  std::vector<int> order{0, 1, 2, 3};
  do {
    Host h(no_pickup());
    for (const int what : order) {
      h.ifindex = what < 2 ? 2 : 3;
      if (what % 2 == 0) {
        h.ask(0, dns_build::query(1, "a.example"));
      } else {
        h.answer(4, a(1, "a.example"));
      }
    }
    std::string told = h.told();
    CAPTURE(order[0] * 1000 + order[1] * 100 + order[2] * 10 + order[3]);
    CHECK(told.starts_with("a.example answered x1 4ms; "));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("dns matcher: a server that is not there") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.ask(0, dns_build::query(2, "b.example"));
  h.refuse(1, 1);
  h.matcher.advance(ms(100));
  CHECK(h.told().empty());  // another server may be asked yet
  h.matcher.advance(ms(101));
  CHECK(h.told() == "a.example unreachable x1; ");
  h.refuse(102);  // whose it is, is not known: of all that went there
  h.matcher.finish();
  CHECK(h.told() == "b.example unreachable x1; ");
}

TEST_CASE("dns matcher: after a server that is not there, the next one") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.refuse(1, 1);
  h.client.port = 40001;
  h.socket = 0xdef;
  h.server = end("10.0.0.54", 53);
  h.ask(2, dns_build::query(1, "a.example"));
  // The first one's error once more says nothing about the second.
  h.matcher.see(Unreachable{ms(3), h.netns, end("10.0.0.2", 40000), end("10.0.0.53", 53), 1});
  h.matcher.advance(ms(200));
  CHECK(h.told().empty());
  h.answer(300, a(1, "a.example"));
  CHECK(h.told() == "a.example answered x2 300ms; ");
  CHECK(h.matcher.size() == 0);
}

TEST_CASE("dns matcher: of two servers that are asked at once, one is not there") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.server = end("10.0.0.54", 53);
  h.ask(0, dns_build::query(1, "a.example"));
  h.refuse(1, 1);
  h.matcher.advance(ms(1000));
  CHECK(h.told().empty());
  h.server = end("10.0.0.53", 53);
  SUBCASE("the other one answers") {
    h.answer(1001, a(1, "a.example"));
    CHECK(h.told() == "a.example answered x2 1001ms; ");
  }
  SUBCASE("nor is the other one") {
    h.refuse(1002, 1);
    h.matcher.advance(ms(1102));
    CHECK(h.told() == "a.example unreachable x2; ");
  }
}

TEST_CASE("dns matcher: an error is about what it quotes") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.refuse(1, 2);
  h.netns = 7;
  h.refuse(1, 1);
  h.netns = 1;
  h.matcher.advance(ms(1000));
  CHECK(h.told().empty());
  h.answer(1001, a(1, "a.example"));
  CHECK(h.told() == "a.example answered x1 1001ms; ");
}

TEST_CASE("dns matcher: a query that waits for its neighbour") {
  Host h(no_pickup());
  SUBCASE("is no other attempt once it is sent") {
    h.wait(0, dns_build::query(1, "a.example"));
    h.ask(900, dns_build::query(1, "a.example"));
    h.answer(910, a(1, "a.example"));
    CHECK(h.told() == "a.example answered x1 10ms; ");
  }
  SUBCASE("whatever came first") {
    h.ask(1, dns_build::query(1, "a.example"));
    h.wait(0, dns_build::query(1, "a.example"));
    h.answer(2, a(1, "a.example"));
    h.wait(0, dns_build::query(1, "a.example"));
    CHECK(h.told() == "a.example answered x1 1ms; ");
  }
  SUBCASE("twice, and then both are sent") {
    h.wait(0, dns_build::query(1, "a.example"));
    h.wait(2500, dns_build::query(1, "a.example"));
    h.ask(2600, dns_build::query(1, "a.example"));
    h.ask(2600, dns_build::query(1, "a.example"));
    h.answer(2610, a(1, "a.example"));
    CHECK(h.told() == "a.example answered x2 2610ms; ");
  }
  SUBCASE("and the second is seen to leave after the answer came") {
    Host reader;
    reader.wait(0, dns_build::query(1, "a.example"));
    reader.wait(2500, dns_build::query(1, "a.example"));
    reader.ask(2600, dns_build::query(1, "a.example"));
    reader.answer(2610, a(1, "a.example"));
    reader.ask(2600, dns_build::query(1, "a.example"));
    reader.read(2611);
    CHECK(reader.told() == "a.example answered x2 2610ms read+1; ");
  }
  SUBCASE("longer than its timeout") {
    Matcher::Options options = no_pickup();
    options.timeout_ns = 300'000'000;
    Host hasty(options);
    hasty.wait(0, dns_build::query(1, "a.example"));
    hasty.matcher.advance(ms(400));
    CHECK(hasty.told() == "a.example timeout x1; ");
    hasty.matcher.advance(ms(2400));
    hasty.owner = owner_of(99);  // who made the address known
    hasty.ask(2500, dns_build::query(1, "a.example"));
    hasty.matcher.finish();
    CHECK(hasty.told().empty());
  }
  SUBCASE("and was dropped: the same again is another one") {
    h.wait(0, dns_build::query(1, "a.example"));
    h.ask(5001, dns_build::query(1, "a.example"));
    h.answer(5010, a(1, "a.example"));
    CHECK(h.told() == "a.example answered x2 5010ms; ");
  }
  SUBCASE("is not of the process in whose time it is sent") {
    h.owner = {};
    h.wait(0, dns_build::query(1, "a.example"));
    h.owner = owner_of(99);
    h.ask(900, dns_build::query(1, "a.example"));
    h.answer(910, a(1, "a.example"));
    const Lookup* l = h.matcher.next();
    REQUIRE(l != nullptr);
    CHECK(l->owner.pid == 0);
  }
  SUBCASE("that is not there") {
    h.wait(0, dns_build::query(1, "a.example"));
    h.refuse(3000, 1);
    h.matcher.advance(ms(3200));
    CHECK(h.told() == "a.example unreachable x1; ");
  }
}

TEST_CASE("dns matcher: a server of this host that does not answer") {
  Matcher::Options options = no_pickup();
  options.client = false;
  options.server = true;
  Host h(options);
  h.arrive(0, dns_build::query(1, "forwarded.example"));
  h.matcher.advance(ms(6000));
  CHECK(h.told().empty());  // perhaps to another host
  h.arrive(6001, dns_build::query(2, "a.example"));
  h.reply(6003, a(2, "a.example"), owner_of(53));
  CHECK(h.told() == "a.example answered x1 2ms server; ");
  h.arrive(6004, dns_build::query(3, "silent.example"));
  h.matcher.advance(ms(12000));
  const Lookup* l = h.matcher.next();
  REQUIRE(l != nullptr);
  CHECK(l->outcome == Outcome::timeout);
  CHECK(l->owner.pid == 53);
  CHECK(h.told().empty());
  h.reply(12001, a(3, "silent.example"), owner_of(53));
  CHECK(h.told() == "silent.example late x1 5997ms server; ");
  h.arrive(12002, dns_build::query(4, "last.example"));
  h.matcher.finish();
  CHECK(h.told() == "last.example pending x1 server; ");
}

TEST_CASE("dns matcher: an answer that is no DNS message to its end") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  SUBCASE("its answer section is cut") {
    Bytes cut = a(1, "a.example");
    cut.data().pop_back();
    h.answer(1, cut);
    CHECK(h.told() == "a.example malformed x1 1ms; ");
  }
  SUBCASE("its question is none") {
    Bytes junk = dns_build::response(1, "a.example", kA, {}, 0x8180);
    std::fill(junk.data().begin() + 12, junk.data().end(), std::byte{0xff});
    h.answer(1, junk);
    CHECK(h.told() == "a.example malformed x1 1ms; ");
  }
  SUBCASE("and somebody else's") {
    Bytes junk = dns_build::response(2, "a.example", kA, {}, 0x8180);
    std::fill(junk.data().begin() + 12, junk.data().end(), std::byte{0xff});
    h.answer(1, junk);
    h.answer(2, a(1, "a.example"));
    CHECK(h.told() == "a.example answered x1 2ms misfits1; ");
  }
  SUBCASE("only the first of its fragments was there") {
    const Bytes whole = a(1, "a.example");
    Bytes cut = whole;
    cut.data().pop_back();
    Sighting s = h.sighting(1, Direction::received, cut);
    s.length = static_cast<std::uint32_t>(whole.size());
    s.source = h.server;
    s.destination = h.client;
    h.matcher.see(s);
    CHECK(h.told() == "a.example answered x1 1ms; ");
  }
}

TEST_CASE("dns matcher: asked again over TCP when the trace ends is no answer") {
  Host h(no_pickup());
  h.ask(0, dns_build::query(1, "a.example"));
  h.answer(1, dns_build::response(1, "a.example", kA, {}, 0x8380));
  h.transport = Transport::tcp;
  Bytes query;
  const Bytes q = dns_build::query(1, "a.example");
  query.u16(static_cast<unsigned>(q.size())).raw(q);
  h.ask(2, query);
  h.matcher.finish();
  CHECK(h.told() == "a.example pending x2 tcp TC; ");
}
