#include "dns/calls.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "dns/resolvers.h"

using namespace plumb;
using namespace plumb::dns;

namespace {

BootTime at(std::uint64_t n) {
  return {1000 + n};
}

Owner thread(std::uint32_t pid, std::uint32_t tid = 0) {
  Owner o;
  o.pid = pid;
  o.tid = tid == 0 ? pid : tid;
  return o;
}

struct Host {
  Calls calls;
  CallFunction function = CallFunction::getaddrinfo;

  void begin(std::uint64_t time, const Owner& who, std::string_view name) {
    calls.begin({.function = function, .time = at(time), .owner = who, .name = name});
  }
  void end(std::uint64_t time, const Owner& who, int error = 0, const std::vector<IpAddress>& answers = {}) {
    calls.end(who, at(time), error, answers);
  }
  // For whom it was asked; 0: not known.
  std::uint32_t asked(std::uint64_t time, const Owner& who, std::string_view name) {
    Lookup lookup;
    lookup.owner = who;
    lookup.name = name;
    calls.asked(lookup, at(time));
    return lookup.caller.pid;
  }
  static std::string line(const Call& c) {
    const auto cached = c.cached();
    std::string room;
    return std::to_string(c.owner.pid) + " " + c.name + " x" + std::to_string(c.attempts) +
           (cached ? *cached ? " cached" : " asked" : "") +
           (c.error != 0 ? " " + std::string(c.error_name(room)) : "") +
           (c.outcome() == Outcome::failed ? " failed" : "") +
           (c.outcome() == Outcome::pending ? " pending" : "") + "; ";
  }
  std::string told(std::uint64_t seen) {
    std::string out;
    while (const Call* c = calls.next(at(seen))) out += line(*c);
    return out;
  }
  std::string rest() {
    std::string out;
    while (const Call* c = calls.rest()) out += line(*c);
    return out;
  }
};

}  // namespace

TEST_CASE("dns calls: a call and its queries") {
  Host h;
  h.begin(1, thread(7), "a.example");
  CHECK(h.asked(2, thread(7), "a.example") == 7);
  CHECK(h.asked(3, thread(7), "A.Example") == 7);  // some vary the case
  h.end(9, thread(7));
  CHECK(h.told(9).empty());  // a packet of that time may still come
  CHECK(h.told(10) == "7 a.example x2 asked; ");
  CHECK(h.told(100).empty());
}

TEST_CASE("dns calls: packets are seen after the call ended") {
  Host h;
  h.begin(1, thread(7), "a.example");
  h.end(5, thread(7));
  h.begin(6, thread(7), "a.example");
  h.end(9, thread(7));
  CHECK(h.asked(3, thread(7), "a.example") == 7);
  CHECK(h.asked(10, thread(7), "a.example") == 0);
  CHECK(h.told(99) == "7 a.example x1 asked; 7 a.example x0 cached; ");
}

TEST_CASE("dns calls: names that a search list made, and a dot at the end") {
  Host h;
  h.begin(1, thread(7), "db");
  CHECK(h.asked(2, thread(7), "db.ns.svc.cluster.local") == 7);
  CHECK(h.asked(3, thread(7), "dbx.ns") == 0);
  CHECK(h.asked(3, thread(7), "ns.db") == 0);
  h.end(4, thread(7));
  h.begin(5, thread(7), "b.example.");
  CHECK(h.asked(6, thread(7), "b.example") == 7);
  h.end(7, thread(7));
  CHECK(h.told(99) == "7 db x1 asked; 7 b.example x1 asked; ");
}

TEST_CASE("dns calls: a resolver of another process") {
  Host h;
  h.begin(1, thread(7), "a.example");
  h.begin(1, thread(8), "b.example");
  CHECK(h.asked(2, thread(53), "a.example") == 7);
  CHECK(h.asked(2, Owner{}, "b.example") == 8);  // whoever sent it
  SUBCASE("for several, nobody knows for whom") {
    h.begin(3, thread(9), "a.example");
    CHECK(h.asked(4, thread(53), "a.example") == 0);
    h.end(5, thread(9));
    CHECK(h.told(99) == "9 a.example x1 asked; ");
  }
  SUBCASE("two threads of one process are one caller") {
    h.begin(3, thread(7, 70), "a.example");
    CHECK(h.asked(4, thread(53), "a.example") == 7);
  }
}

TEST_CASE("dns calls: its own thread, then its own process, come first") {
  Host h;
  h.begin(1, thread(7), "a.example");
  h.begin(1, thread(8), "a.example");
  h.begin(1, thread(8, 80), "a.example");
  CHECK(h.asked(2, thread(7), "a.example") == 7);
  CHECK(h.asked(3, thread(8, 81), "a.example") == 8);
  h.end(4, thread(7));
  h.end(5, thread(8));
  h.end(6, thread(8, 80));
  CHECK(h.told(99) == "7 a.example x1 asked; 8 a.example x1 asked; 8 a.example x1 asked; ");
}

TEST_CASE("dns calls: errors") {
  Host h;
  h.begin(1, thread(7), "a.example");
  h.end(2, thread(7), -2);
  h.begin(1, thread(8), "a.example");
  h.end(3, thread(8), -3);
  h.begin(1, thread(9), "a.example");
  h.end(4, thread(9), -4711);
  CHECK(h.told(99) ==
        "7 a.example x0 cached EAI_NONAME; 8 a.example x0 EAI_AGAIN failed; 9 a.example x0 -4711 failed; ");
}

TEST_CASE("dns calls: the end of the trace, and calls that never return") {
  Host h;
  h.begin(1, thread(7), "gone.example");
  h.begin(2, thread(7), "a.example");  // the thread left the one before by a jump
  h.begin(2, thread(8), "b.example");
  h.end(3, thread(8));
  h.end(3, thread(99));
  CHECK(h.rest() == "7 gone.example x0 pending; 8 b.example x0 cached; 7 a.example x0 pending; ");
  CHECK(h.rest().empty());
}

TEST_CASE("dns calls: whoever jumped out of one waits for it no longer") {
  Host h;
  h.begin(1, thread(7), "a.example");
  CHECK(h.asked(2, thread(7), "a.example") == 7);
  h.begin(5, thread(7), "b.example");
  CHECK(h.asked(6, thread(53), "a.example") == 0);
  h.end(7, thread(7));
  CHECK(h.told(99) == "7 a.example x1 asked pending; 7 b.example x0 cached; ");
}

TEST_CASE("dns calls: a thread that ends in one") {
  Host h;
  h.begin(1, thread(7, 70), "a.example");
  CHECK(h.asked(2, thread(7, 70), "a.example") == 7);
  h.calls.leave(thread(7, 70), at(5));
  h.calls.leave(thread(7, 71), at(5));
  CHECK(h.asked(4, thread(53), "a.example") == 7);  // a packet from before
  CHECK(h.asked(6, thread(53), "a.example") == 0);
  CHECK(h.told(5).empty());
  CHECK(h.told(6) == "7 a.example x2 asked pending; ");
  // Its number may be another thread's soon.
  h.begin(8, thread(7, 70), "a.example");
  h.end(9, thread(7, 70));
  CHECK(h.told(99) == "7 a.example x0 cached; ");
}

TEST_CASE("dns calls: a buffer that is too small") {
  Host h;
  h.function = CallFunction::gethostbyname;
  const std::uint64_t late = Calls::kRetryNs + 10;
  h.begin(1, thread(7), "a.example");
  CHECK(h.asked(2, thread(7), "a.example") == 7);
  h.calls.pause(thread(7), at(3));
  SUBCASE("comes back larger") {
    h.begin(4, thread(7), "A.example.");
    CHECK(h.asked(5, thread(7), "a.example") == 7);
    CHECK(h.told(late).empty());  // under way
    h.calls.pause(thread(7), at(late));
    h.begin(late + 1, thread(7), "a.example");
    h.end(late + 2, thread(7));
    CHECK(h.told(9 * late) == "7 a.example x2 asked; ");
  }
  SUBCASE("does not come back") {
    CHECK(h.told(4).empty());
    CHECK(h.asked(3, thread(53), "a.example") == 7);  // a packet from before
    CHECK(h.asked(4, thread(53), "a.example") == 0);
    CHECK(h.asked(5, thread(7), "a.example") == 0);
    CHECK(h.told(late) == "7 a.example x2 asked NETDB_INTERNAL failed; ");
  }
  SUBCASE("comes back for another name, or too late") {
    h.begin(4, thread(7), "b.example");
    h.calls.pause(thread(7), at(5));
    h.begin(5 + late, thread(7), "b.example");
    h.end(6 + late, thread(7));
    CHECK(h.told(9 * late) ==
          "7 a.example x1 asked NETDB_INTERNAL failed; 7 b.example x0 NETDB_INTERNAL failed; "
          "7 b.example x0 cached; ");
  }
  SUBCASE("its thread ends") {
    h.calls.leave(thread(7), at(4));
    CHECK(h.told(9 * late) == "7 a.example x1 asked pending; ");
  }
}

TEST_CASE("dns calls: no call takes longer than a resolver may take") {
  Host h;
  h.begin(1, thread(7), "a.example");
  CHECK(h.told(Calls::kLongestNs).empty());
  const std::uint64_t later = Calls::kLongestNs + 11'000'000'000;
  CHECK(h.told(later).empty());  // packets of the time at which that is noticed may still come
  CHECK(h.told(later + 1) == "7 a.example x0 pending; ");
}

TEST_CASE("dns calls: answers, each once") {
  Call c;
  const auto a = *IpAddress::parse("192.0.2.1");
  const auto b = *IpAddress::parse("2001:db8::1");
  c.set_answers({a, b, a, b});
  CHECK(c.answers == std::vector<std::string_view>{"192.0.2.1", "2001:db8::1"});
  c.set_answers({});
  CHECK(c.answers.empty());
}

TEST_CASE("dns calls: no more than a bound") {
  Host h;
  for (std::uint32_t i = 1; i <= Calls::kMaxCalls + 10; ++i) h.begin(i, thread(i), "a.example");
  CHECK(h.calls.lost() == 10);
  for (std::uint32_t i = 1; i <= Calls::kMaxCalls; ++i) h.end(20'000, thread(i));
  std::size_t told = 0;
  while (h.calls.next(at(30'000)) != nullptr) ++told;
  CHECK(told == Calls::kMaxCalls);
  h.begin(30'001, thread(1), "b.example");
  CHECK(h.calls.lost() == 10);
}

TEST_CASE("dns resolvers that are known") {
  for (const char* address : {"8.8.8.8", "1.0.0.1", "9.9.9.9", "2606:4700:4700::1111", "2620:fe::fe"})
    CHECK(is_known_resolver(*IpAddress::parse(address)));
  for (const char* address : {"8.8.8.9", "192.0.2.1", "::1", "2606:4700:4700::1112:1"})
    CHECK_FALSE(is_known_resolver(*IpAddress::parse(address)));
}
