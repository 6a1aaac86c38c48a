#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "flame/functions.h"
#include "flame/kernel_names.h"
#include "flame/options.h"
#include "flame/processes.h"

using namespace plumb;

namespace {

CodeMapping code(std::uint64_t start, std::uint64_t end, std::string path, std::uint64_t offset = 0) {
  return {.start = start, .end = end, .offset = offset, .inode = 1, .path = std::move(path)};
}

std::string no_maps(void*, std::uint32_t) {
  return {};
}

std::string some_maps(void*, std::uint32_t pid) {
  return pid == 7 ? "1000-2000 r-xp 00003000 08:01 42 /bin/x\n2000-3000 rw-p 00000000 08:01 42 /bin/x\n" : "";
}

MappingEvent event(MappingEvent::Kind kind, std::uint32_t pid, std::uint32_t parent = 0) {
  return {.kind = kind, .pid = pid, .tid = pid, .parent = parent};
}

MappingEvent map_event(std::uint32_t pid, std::uint64_t start, std::string_view path) {
  MappingEvent e = event(MappingEvent::Kind::map, pid);
  e.start = start;
  e.size = 0x1000;
  e.inode = 5;
  e.path = path;
  return e;
}

}  // namespace

TEST_CASE("a new mapping takes the place of what it covers, and splits what it lies within") {
  ProcessCode p;
  p.map(code(0x1000, 0x5000, "a", 0x100));
  p.map(code(0x2000, 0x3000, "b"));
  CHECK(p.find(0x1fff)->path == "a");
  CHECK(p.find(0x2000)->path == "b");
  CHECK(p.find(0x3000)->path == "a");
  CHECK(p.find(0x3000)->offset == 0x2100);
  CHECK(p.find(0x4fff)->path == "a");
  CHECK(p.find(0x5000) == nullptr);
  CHECK(p.find(0xfff) == nullptr);
  p.map(code(0x0, 0x10000, "c"));
  CHECK(p.mappings.size() == 1);
  p.map(code(0x20, 0x20, "nothing"));
  CHECK(p.mappings.size() == 1);
}

TEST_CASE("a child has its parent's code until it becomes another program") {
  Processes all(no_maps, nullptr);
  all.on_event(event(MappingEvent::Kind::exec, 10));
  all.on_event(map_event(10, 0x1000, "/bin/sh"));
  all.on_event(event(MappingEvent::Kind::fork, 11, 10));
  CHECK(all.sampled(11).find(0x1234)->path == "/bin/sh");
  all.on_event(event(MappingEvent::Kind::exec, 11));
  all.on_event(map_event(11, 0x4000, "/bin/ls"));
  CHECK(all.sampled(11).find(0x1234) == nullptr);
  CHECK(all.sampled(11).find(0x4000)->path == "/bin/ls");
  CHECK(all.sampled(10).find(0x1234)->path == "/bin/sh");
  all.on_event(event(MappingEvent::Kind::exit, 11));
  CHECK(all.sampled(11).find(0x4000) != nullptr);  // its last samples may still come
  all.forget_ended();
  CHECK(all.size() == 1);
}

TEST_CASE("a process that was there before is read when it is sampled; memory without a file has no inode") {
  Processes all(some_maps, nullptr);
  all.on_event(map_event(7, 0x9000, "/late"));  // not sampled yet: a snapshot will show it
  CHECK(all.size() == 0);
  CHECK(all.sampled(7).mappings.size() == 1);
  CHECK(all.sampled(7).find(0x1000)->offset == 0x3000);
  all.on_event(map_event(7, 0x9000, "//anon"));
  CHECK(all.sampled(7).find(0x9000)->inode == 0);
  CHECK(all.sampled(7).find(0x9000)->path.empty());
}

TEST_CASE("events and what else there is, by its name") {
  FlameOptions o;
  const OptionTable table = flame_option_table(o);
  const auto set = [&](std::string_view name, std::string_view value) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (table.spec(i).name == name) return table.apply(i, value).ok();
    }
    return false;
  };
  CHECK(set("event", "uprobe:/lib/libc.so.6:malloc"));
  CHECK(event_text(o) == "libc.so.6:malloc");
  CHECK(set("event", "tracepoint:sched:sched_switch"));
  CHECK(event_text(o) == "sched:sched_switch");
  CHECK(set("event", "runq"));
  CHECK(o.waits());
  for (const char* bad : {"", "x", "cpu:1", "tracepoint:", "tracepoint:a", "tracepoint::b", "uprobe:/x:"})
    CHECK_FALSE(set("event", bad));
  CHECK(set("stack-size", "131072"));
  CHECK_FALSE(set("stack-size", "131073"));
  CHECK_FALSE(set("tid", "1,x"));
  CHECK(set("user", ""));
  CHECK(check_flame_options(o).ok());
  CHECK(set("kernel", ""));
  CHECK_FALSE(check_flame_options(o).ok());
}

TEST_CASE(
    "the table of functions counts each function once a stack, and what is new since the update before") {
  profile::Profile p;
  const auto a = p.frame({.function = "a"}), b = p.frame({.function = "b"});
  const auto jit = p.frame({.kind = profile::FrameKind::jit, .address = 0x1000});
  bool named = false;
  const auto naming = [&](const profile::Frame& f, std::vector<profile::Frame>& out) {
    out.push_back(f);
    if (f.kind == profile::FrameKind::jit && named) out.back().function = "compiled";
  };
  FunctionTable table;
  const auto of = [&](std::string_view name) {
    const auto found = std::ranges::find(table.functions(), name, &FunctionWeight::name);
    return found == table.functions().end() ? FunctionWeight{} : *found;
  };
  p.add({.frames = std::array{a, a, b}, .value = 3});
  p.add({.frames = std::array{a, jit}, .value = 2});
  table.update(p, naming);
  CHECK(of("a").total == 5);
  CHECK(of("a").self == 0);
  CHECK(of("b").self == 3);
  CHECK(of("b").recent == 3);
  CHECK(of("0x1000").self == 2);
  named = true;
  p.add({.frames = std::array{a, b}, .value = 4});
  table.update(p, naming);
  CHECK(of("b").self == 7);
  CHECK(of("b").recent == 4);
  CHECK(of("compiled").self == 2);
  CHECK(of("0x1000").total == 0);  // it has its name now
  CHECK(table.weight() == 9);
  CHECK(table.recent() == 4);
  p.add({.frames = std::array{a, b}, .value = 1});
  table.update(p, naming, false);
  CHECK(of("b").recent == 5);
  CHECK(table.recent() == 5);
}

TEST_CASE("the table of functions by process: a row for each function of each") {
  profile::Profile p;
  const auto a = p.frame({.function = "a"}), b = p.frame({.function = "b"});
  p.add({.frames = std::array{a, b}, .value = 3, .comm = "make", .pid = 1});
  p.add({.frames = std::array{a, b}, .value = 2, .comm = "make", .pid = 2});
  p.add({.frames = std::array{a}, .value = 4, .comm = "sh", .pid = 3});
  const auto naming = [](const profile::Frame& f, std::vector<profile::Frame>& out) { out.push_back(f); };
  const auto rows = [&](FunctionTable table) {
    table.update(p, naming);
    std::vector<std::string> out;
    for (const FunctionWeight& f : table.functions()) {
      if (f.total != 0)
        out.push_back(f.comm + "/" + std::to_string(f.pid) + "/" + f.name + " " + std::to_string(f.self) +
                      " of " + std::to_string(f.total));
    }
    std::ranges::sort(out);
    return out;
  };
  FunctionTable by_comm, by_both;
  by_comm.group_by(true, false);
  by_both.group_by(true, true);
  using Rows = std::vector<std::string>;
  CHECK(rows({}) == Rows{"/0/a 4 of 9", "/0/b 5 of 5"});
  CHECK(rows(by_comm) == Rows{"make/0/a 0 of 5", "make/0/b 5 of 5", "sh/0/a 4 of 4"});
  CHECK(rows(by_both) ==
        Rows{"make/1/a 0 of 3", "make/1/b 3 of 3", "make/2/a 0 of 2", "make/2/b 2 of 2", "sh/3/a 4 of 4"});
  const std::string_view stack[] = {"a", "b"};
  by_comm.add(stack, "make", 9, 7);
  CHECK(by_comm.functions().back().comm == "make");
  CHECK(by_comm.functions().back().self == 7);
}

namespace {

// The kernel's side of names: answers as often as it may.
struct FakeKernel {
  std::map<std::uint64_t, std::string> texts;
  flame_names names{};
  int may = 1'000, asked = 0;
  KernelNames::Source source() {
    return {&names, [this] {
              if (asked == may) return false;
              ++asked;
              for (std::uint64_t i = 0; i < names.count; ++i)
                ::strncpy(names.name[i], texts[names.address[i]].c_str(), sizeof names.name[i] - 1);
              return true;
            }};
  }
};

}  // namespace

TEST_CASE("flame: kernel names are asked for many at once, and once") {
  FakeKernel kernel;
  std::vector<std::uint64_t> addresses;
  for (std::uint64_t a = 0; a < 100; ++a) {
    addresses.push_back(a);
    kernel.texts[a] = "f" + std::to_string(a);
  }
  kernel.texts[50] = "nft_do_chain [nf_tables]";
  kernel.texts[51] = "0xffffffffc0000000";
  KernelNames names(KernelSymbols::open("/nonexistent/kallsyms"));
  names.ask(kernel.source());
  names.learn(addresses);
  CHECK(kernel.asked == 4);
  names.learn(addresses);
  CHECK(names.find(7) == "f7");
  CHECK(names.find(50) == "nft_do_chain");
  CHECK(names.find(51).empty());
  CHECK(kernel.asked == 4);
  kernel.texts[1000] = "late";
  CHECK(names.find(1000) == "late");
  CHECK(kernel.asked == 5);
}

TEST_CASE("flame: kernel names come from kallsyms where the kernel does not answer") {
  FakeKernel kernel{.may = 0};
  KernelNames names(KernelSymbols::open(TEST_DATA "/../../golden/data/kallsyms"));
  names.ask(kernel.source());
  std::uint64_t address = 0;
  std::string name;
  {
    std::ifstream file(TEST_DATA "/../../golden/data/kallsyms");
    std::string line, kind;
    while (name.empty() && std::getline(file, line)) {
      std::istringstream words(line);
      words >> std::hex >> address >> kind >> name;
      if (kind != "T" && kind != "t") name.clear();
    }
  }
  REQUIRE_FALSE(name.empty());
  CHECK(names.find(address) == name);
  CHECK(names.find(1).empty());
  CHECK(names.problem().empty());
}
