#include <doctest/doctest.h>

#include <array>

#include "flame/event.h"
#include "flame/top.h"
#include "golden.h"

using namespace plumb;

namespace {

void feed(Sink& sink) {
  const std::array<std::string_view, 4> frames{"_start", "main", "operator new(unsigned long)",
                                               "asm_exc_page_fault"};
  CHECK(sink.row(Row(kStackSchema, Stack{frames, 42, 42, "count", "cpu-clock", "xz", 4711})).ok());
  const std::array<std::string_view, 2> hostile{"evil\x1b[31m;name", "libfoo.so+0x1234"};
  CHECK(
      sink.row(Row(kStackSchema, Stack{hostile, 1, 1'500'000'000, "nanoseconds", "offcpu", "a\nb", 1})).ok());
  CHECK(sink.row(Row(kStackSchema, Stack{{}, 1, 1, "count", "cpu-clock", {}, 0})).ok());
  CHECK(sink.lost({{1'764'300'000'000'000'000}, 3, "no room left in the kernel's buffers"}).ok());
}

using profile::FrameKind;

// Two processes, a recursion, the kernel, code without a name, hostile names.
profile::Profile some_stacks(profile::Unit unit) {
  profile::Profile p({.event = "cpu-clock", .unit = unit});
  const auto libc = p.mapping({.path = "/lib/x86_64-linux-gnu/libc.so.6"});
  const auto evil = p.mapping({.path = "/tmp/a\x1b[31mvery long name of a shared library.so"});
  const auto main = p.frame({.function = "main", .mapping = evil});
  const auto walk = p.frame({.function = "walk(tree_node*, int* (*)(tree_node**, void*))", .mapping = evil});
  const auto copy = p.frame({.function = "memcpy", .mapping = libc});
  const auto nameless = p.frame({.mapping = libc, .address = 0x1234});
  const auto kernel = p.frame({.function = "copy_page_to_iter", .kind = FrameKind::kernel});
  const auto cpu = p.frame({.function = "cpu 3", .kind = FrameKind::note});
  const auto add = [&](std::initializer_list<profile::FrameId> frames, std::uint64_t value) {
    p.add({.frames = frames, .value = value});
  };
  add({cpu, main, walk, walk, copy}, 5'000'000);
  add({cpu, main, walk, walk}, 3'000'000);
  add({cpu, main, nameless, kernel}, 1'500'000);
  add({cpu}, 500'000);
  return p;
}

std::unique_ptr<TopSink> functions_top(Screen& screen, const ClockSource& clock, TopStyle style,
                                       const profile::Profile& p) {
  style.title = "flame";
  return make_function_top(screen, clock, style,
                           {[&p](FunctionTable& table, bool interval) {
                              const auto same = [](const profile::Frame& f, auto& out) { out.push_back(f); };
                              table.update(p, same, interval);
                            },
                            [] { return "cpu-clock 99 Hz  4 samples, 0 lost, 100.0 % rooted"; },
                            [&p] { return p.description(); }});
}

}  // namespace

TEST_CASE("flame stacks") {
  golden::compare_all("flame", kStackSchema, {1'764'300'000'000'000'000}, feed);
}

TEST_CASE("flame's live table of functions") {
  const profile::Profile counted = some_stacks(profile::Unit::count);
  const profile::Profile timed = some_stacks(profile::Unit::nanoseconds);
  const auto nothing = [](Sink&) {};
  const auto frame = [&](std::size_t columns, std::size_t rows, const profile::Profile& p, bool color = false,
                         std::string_view typed = {}) {
    const auto make = [&](Screen& screen, const ClockSource& clock) {
      return functions_top(screen, clock, {.color = color}, p);
    };
    return golden::top_frame(columns, rows, make, nothing, typed);
  };
  constexpr std::pair<std::size_t, std::size_t> kSizes[] = {{200, 50}, {120, 30}, {80, 24},
                                                            {60, 20},  {40, 5},   {1, 1}};
  for (const auto& [columns, rows] : kSizes) {
    golden::compare("flame." + std::to_string(columns) + "x" + std::to_string(rows) + ".top",
                    frame(columns, rows, counted));
  }
  golden::compare("flame.time.top", frame(80, 24, timed));
  golden::compare("flame.keys.top", frame(80, 24, counted, false, "srp/libc\n"));
  golden::compare("flame.color.top", frame(80, 24, counted, true));
  golden::compare("flame.endless.top", frame(static_cast<std::size_t>(-1), 0, counted));
  const auto saved = [](Screen& screen, const ClockSource& clock) {
    return make_function_top(screen, clock, {.title = "flame"}, {});
  };
  golden::compare("flame.saved.top", golden::top_frame(80, 24, saved, feed));
}
