// Stacks kept once, in bounded memory.
#include "profile/profile.h"

#include <doctest/doctest.h>

#include "sample_profile.h"

using namespace plumb::profile;

TEST_CASE("profile: equal frames, stacks and samples are one") {
  Profile p;
  const FrameId a = p.frame({.function = "a"});
  CHECK(p.frame({.function = std::string("a")}) == a);
  CHECK(p.frame({.function = "a", .kind = FrameKind::kernel}) != a);
  CHECK(p.frame({.function = "a", .address = 1}) != a);
  CHECK(p.frame({.function = "a", .file = "a.c", .line = 3}) != a);
  const FrameId stack[] = {a, a};
  p.add({.frames = stack, .count = 1, .value = 10, .comm = "x", .pid = 1, .tid = 2});
  p.add({.frames = stack, .count = 2, .value = 30, .comm = "x", .pid = 1, .tid = 2});
  p.add({.frames = stack, .comm = "x", .pid = 1, .tid = 3});
  p.add({.frames = {}, .comm = "idle"});
  REQUIRE(p.samples() == 3);
  CHECK(p.sample(0).count == 3);
  CHECK(p.sample(0).value == 40);
  CHECK(p.sample(0).frames.size() == 2);
  CHECK(p.sample(0).frames.data() == p.sample(1).frames.data());  // the stack is kept once
  CHECK(p.sample(2).frames.empty());
  CHECK(p.total_count() == 5);
  CHECK(p.total_value() == 42);
}

TEST_CASE("profile: many frames and stacks keep their ids while the tables grow") {
  Profile p;
  std::vector<FrameId> ids;
  for (int i = 0; i < 20'000; ++i) {
    ids.push_back(p.frame({.function = "f" + std::to_string(i)}));
    p.add({.frames = std::span(ids).last(1), .value = static_cast<std::uint64_t>(i)});
  }
  for (int i = 0; i < 20'000; ++i) {
    REQUIRE(p.frame({.function = "f" + std::to_string(i)}) == ids[static_cast<std::size_t>(i)]);
    REQUIRE(p.frame_of(ids[static_cast<std::size_t>(i)]).function == "f" + std::to_string(i));
  }
  CHECK(p.samples() == 20'000);
}

TEST_CASE("profile: what has no room is counted, and totals stay true") {
  for (const Limits& limits : {Limits{.samples = 10}, Limits{.frames = 10}, Limits{.string_bytes = 20},
                               Limits{.stack_frames = 10}}) {
    Profile p({}, limits);
    for (int i = 0; i < 100; ++i) {
      const FrameId f[] = {p.frame({.function = "f" + std::to_string(i)})};
      p.add({.frames = f, .value = 2});
    }
    CHECK(p.total_count() == 100);
    CHECK(p.total_value() == 200);
    std::uint64_t value = 0, overflowed = 0;
    for (std::size_t i = 0; i < p.samples(); ++i) {
      value += p.sample(i).value;
      for (const FrameId f : p.sample(i).frames) {
        if (p.frame_of(f).function == kOverflow) overflowed += p.sample(i).count;
      }
    }
    CHECK(value == 200);
    CHECK(overflowed >= 85);
    CHECK(p.samples() <= 12);
  }
}

TEST_CASE("profile: a frame id of another profile does no harm") {
  Profile p;
  const FrameId wrong[] = {77};
  p.add({.frames = wrong});
  CHECK(p.quality().overflowed == 1);
  CHECK(p.frame_of(p.sample(0).frames[0]).function == kOverflow);
}

TEST_CASE("profile: a stack that is too deep keeps the root's end") {
  Profile p({}, {.depth = 3});
  std::vector<FrameId> deep;
  for (int i = 0; i < 10; ++i) deep.push_back(p.frame({.function = std::to_string(i)}));
  p.add({.frames = deep});
  REQUIRE(p.sample(0).frames.size() == 3);
  CHECK(p.frame_of(p.sample(0).frames[0]).function == "0");
}

TEST_CASE("profile: sums saturate") {
  Profile p;
  const FrameId f[] = {p.frame({.function = "f"})};
  p.add({.frames = f, .value = ~std::uint64_t{0} - 1});
  p.add({.frames = f, .value = 5});
  CHECK(p.sample(0).value == ~std::uint64_t{0});
  CHECK(p.total_value() == ~std::uint64_t{0});
}

TEST_CASE("profile: addresses get their names once, at the end") {
  Profile raw({.event = "cpu"});
  const MappingId m = raw.mapping({.path = "/usr/bin/xz", .build_id = "ab"});
  const FrameId a = raw.frame({.mapping = m, .address = 0x10}),
                b = raw.frame({.mapping = m, .address = 0x18}),
                c = raw.frame({.mapping = m, .address = 0x99});
  const FrameId first[] = {a, c}, second[] = {b, c};
  raw.add({.frames = first});
  raw.add({.frames = second});
  int calls = 0;
  const Profile named = raw.rewritten([&](const Frame& f, std::vector<Frame>& out) {
    ++calls;
    Frame to = f;
    if (f.address == 0x99) return;
    to.function = "outer";
    to.address = 0x10;
    out.push_back(to);
    to.function = "inner";
    to.kind = FrameKind::inlined;
    out.push_back(to);
  });
  CHECK(calls == 3);
  CHECK(named.description().event == "cpu");
  REQUIRE(named.samples() == 1);
  CHECK(named.sample(0).count == 2);
  REQUIRE(named.sample(0).frames.size() == 2);
  CHECK(named.frame_of(named.sample(0).frames[1]).function == "inner");
  CHECK(named.mapping_of(named.frame_of(named.sample(0).frames[0]).mapping).build_id == "ab");
}

TEST_CASE("profile: what has no name is told by module, each sample once") {
  Profile p;
  const MappingId libc = p.mapping({.path = "/lib/libc.so.6"});
  const FrameId known = p.frame({.function = "f", .mapping = libc}),
                x = p.frame({.mapping = libc, .address = 1}), y = p.frame({.mapping = libc, .address = 2}),
                nowhere = p.frame({.address = 0xbeef});
  const FrameId one[] = {known, x, y}, two[] = {nowhere, x};
  p.add({.frames = one, .count = 3});
  p.add({.frames = two, .count = 1});
  const auto worst = p.unsymbolised();
  REQUIRE(worst.size() == 2);
  CHECK(worst[0].mapping == libc);
  CHECK(worst[0].samples == 4);
  CHECK(worst[1].mapping == kNoMapping);
  CHECK(display_name(p, p.frame_of(x)) == "libc.so.6+0x1");
  CHECK(display_name(p, p.frame_of(nowhere)) == "0xbeef");
  CHECK(display_name(p, Frame{}) == "[unknown]");
}
