// httptrace: which TLS connections are said not to have been read.
#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <string>

#include "httptrace/unread_tls.h"

using namespace plumb;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

struct Fixture {
  Fixture() {
    unread.ask({.look =
                    [this](std::uint32_t pid) {
                      ++looks;
                      const auto found = running.find(pid);
                      if (found != running.end()) unread.looked(pid, found->second, "", {900 * kMs});
                    },
                .first_call = [this](std::uint32_t pid) { return calls[pid]; }});
    unread.start({10 * kMs});
  }
  void connection(std::uint32_t pid, std::uint64_t time_ms, std::uint8_t flags = 0) {
    httptrace_open o{};
    o.header.time_ns = time_ms * kMs;
    o.header.record = HTTPTRACE_TLS;
    o.header.flags = flags;
    o.task.pid = pid;
    o.task.start_ns = 15 * kMs;
    std::memcpy(o.task.comm, "client", 7);
    unread.connection(o);
  }
  std::map<std::uint32_t, std::uint64_t> running;  // since when they have probes
  std::map<std::uint32_t, std::uint64_t> calls;
  int looks = 0;
  UnreadTls unread;
};

}  // namespace

TEST_CASE("httptrace: a TLS connection of a process with probes is read") {
  Fixture f;
  f.unread.looked(7, 5 * kMs, "", {20 * kMs});
  f.connection(7, 30);
  f.running[8] = 6 * kMs;  // looked at only when it is asked for
  f.connection(8, 40);
  f.calls[9] = 99 * kMs;  // gone, but a library's call was seen
  f.connection(9, 50);
  f.unread.finish();
  CHECK(f.unread.early() == 0);
  CHECK(f.unread.unreadable() == 0);
  CHECK(f.unread.lines().empty());
}

TEST_CASE("httptrace: TLS connections that began before their probes are counted") {
  Fixture f;
  f.unread.looked(7, 31 * kMs, "", {32 * kMs});
  f.connection(7, 30);
  f.calls[9] = 102 * kMs;
  f.connection(9, 50);
  f.connection(11, 60);  // gone, and nothing is known
  f.unread.finish();
  CHECK(f.unread.early() == 3);
  CHECK(f.unread.unreadable() == 0);
  REQUIRE(f.unread.lines().size() == 1);
  CHECK(
      f.unread.lines()[0] ==
      "3 TLS connections of 3 processes began before their probes were on: requests of theirs may be missing: "
      "2 of client, 1 of client (ended before it could be looked at)");
}

TEST_CASE("httptrace: TLS connections that no probe can read are counted, with the reason") {
  Fixture f;
  f.unread.looked(7, 0, "Java: out of reach", {20 * kMs});
  f.connection(7, 30);
  f.connection(7, 31, HTTPTRACE_OLDER);
  f.running[8] = 0;
  f.connection(8, 40);
  f.unread.finish();
  CHECK(f.unread.early() == 0);
  CHECK(f.unread.unreadable() == 3);
  REQUIRE(f.unread.lines().size() == 1);
  CHECK(
      f.unread.lines()[0] ==
      "3 TLS connections could not be read: 2 of client (Java: out of reach), 1 of client (no function of a TLS "
      "library has a name in it)");
}

TEST_CASE("httptrace: a process without probes is looked at once for the connections before that") {
  Fixture f;
  f.running[8] = 0;
  for (std::uint64_t ms = 40; ms < 50; ++ms) f.connection(8, ms);
  f.unread.finish();
  CHECK(f.unread.unreadable() == 10);
  CHECK(f.looks == 1);
  f.connection(8, 901);  // after the look
  f.unread.finish();
  CHECK(f.unread.unreadable() == 11);
  CHECK(f.looks == 2);
}

TEST_CASE("httptrace: what is older than the trace, or than its probes, is none of these") {
  Fixture f;
  f.connection(11, 9);  // before the trace was ready
  f.unread.looked(7, 50 * kMs, "", {51 * kMs});
  f.connection(7, 30, HTTPTRACE_OLDER);
  f.unread.finish();
  CHECK(f.unread.lines().empty());
}

TEST_CASE("httptrace: connections wait for what is told of their process") {
  Fixture f;
  f.connection(7, 30);
  f.unread.settle({100 * kMs});
  f.unread.looked(7, 5 * kMs, "", {110 * kMs});
  f.unread.settle({300 * kMs});
  CHECK(f.unread.lines().empty());
}

TEST_CASE("httptrace: an earlier process with the same number says nothing about this one") {
  Fixture f;
  f.unread.looked(7, 5 * kMs, "", {14 * kMs});
  f.calls[7] = 14 * kMs;
  f.connection(7, 30);
  f.unread.finish();
  CHECK(f.unread.early() == 1);
}
