#include "flame/options.h"

#include <array>
#include <charconv>
#include <utility>

#include "flame/wire.h"

namespace plumb {
namespace {

constexpr std::string_view kGroup = "flame";

Result<void> set_event(FlameOptions& o, std::string_view text) {
  const std::string_view kind = text.substr(0, text.find(':'));
  std::string_view rest = text.substr(std::min(kind.size() + 1, text.size()));
  static constexpr std::pair<std::string_view, FlameEvent> kPlain[] = {
      {"cpu", FlameEvent::cpu},     {"offcpu", FlameEvent::offcpu},
      {"runq", FlameEvent::runq},   {"faults", FlameEvent::faults},
      {"block", FlameEvent::block}, {"block:bytes", FlameEvent::block_bytes}};
  for (const auto& [name, event] : kPlain) {
    if (text == name) return o.event = event, Result<void>{};
  }
  const std::size_t colon = rest.rfind(':');
  if ((kind != "tracepoint" && kind != "uprobe") || colon == std::string_view::npos || colon == 0 ||
      colon + 1 == rest.size()) {
    return Error{
        "no event '" + std::string(text) + "'",
        "there is cpu, offcpu, runq, faults, block, block:bytes, tracepoint:CATEGORY:NAME, uprobe:PATH:SYMBOL"};
  }
  o.event = kind == "uprobe" ? FlameEvent::uprobe : FlameEvent::tracepoint;
  o.category = rest.substr(0, colon);
  o.name = rest.substr(colon + 1);
  return {};
}

Result<void> add_tids(FlameOptions& o, std::string_view text) {
  for (const std::string_view item : split_list(text)) {
    std::uint32_t tid = 0;
    const auto [rest, status] = std::from_chars(item.data(), item.data() + item.size(), tid);
    if (status != std::errc{} || rest != item.data() + item.size() || tid == 0)
      return Error{"'" + std::string(item) + "' is no thread id"};
    o.tids.push_back(tid);
  }
  return {};
}

Result<void> set_number(std::uint64_t& to, std::string_view text, std::uint64_t least, std::uint64_t most) {
  auto n = parse_count(text);
  if (!n) return std::move(n).error();
  if (*n < least || *n > most)
    return Error{std::string(text) + " is out of range",
                 "expected " + std::to_string(least) + " to " + std::to_string(most)};
  to = *n;
  return {};
}

template <bool FlameOptions::*Flag, bool To = true>
Result<void> set(FlameOptions& o, std::string_view) {
  o.*Flag = To;
  return {};
}

constexpr auto kOptions = std::to_array<Option<FlameOptions>>({
    {{.name = "event",
      .metavar = "EVENT",
      .group = kGroup,
      .help =
          "What takes a stack: cpu (default), a steady rate of running threads; offcpu, each wait, weighted by "
          "its time; runq, each wait for a CPU; faults, page faults; block, requests to block devices, weighted by their time, block:bytes by their bytes; tracepoint:CATEGORY:NAME; uprobe:PATH:SYMBOL, calls of a function."},
     set_event},
    {{.name = "frequency",
      .short_name = 'F',
      .metavar = "HZ",
      .group = kGroup,
      .help = "Samples a second on each CPU (default 99)."},
     [](FlameOptions& o, std::string_view v) { return set_number(o.frequency, v, 1, 10'000); }},
    {{.name = "tid",
      .metavar = "TID[,TID...]",
      .repeatable = true,
      .group = kGroup,
      .help = "Only these threads."},
     add_tids},
    {{.name = "user", .group = kGroup, .help = "Only the part of stacks that is in user space."},
     set<&FlameOptions::kernel, false>},
    {{.name = "kernel", .group = kGroup, .help = "Only the part of stacks that is in the kernel."},
     set<&FlameOptions::user, false>},
    {{.name = "threads", .group = kGroup, .help = "Each thread for itself, by its own name."},
     set<&FlameOptions::threads>},
    {{.name = "per-cpu", .group = kGroup, .help = "Each CPU for itself."}, set<&FlameOptions::per_cpu>},
    {{.name = "idle", .group = kGroup, .help = "CPUs that idle too."}, set<&FlameOptions::idle>},
    {{.name = "min-block",
      .metavar = "TIME",
      .group = kGroup,
      .help =
          "With --event offcpu or runq: only waits of at least this long (default: 1ms of offcpu, 0 of runq)."},
     [](FlameOptions& o, std::string_view v) -> Result<void> {
       if (v == "0") return o.min_block_ns = 0, Result<void>{};
       auto ns = parse_duration_ns(v);
       if (!ns) return std::move(ns).error();
       o.min_block_ns = *ns;
       return {};
     }},
    {{.name = "wakers",
      .group = kGroup,
      .help =
          "With --event offcpu: above each stack that waited, who ended the wait, its innermost function first and its "
          "command's name last; [interrupt] where a timer or a device did."},
     set<&FlameOptions::wakers>},
    {{.name = "stack-size",
      .metavar = "BYTES",
      .group = kGroup,
      .help =
          "How much of a thread's stack to copy at most (default 65536, up to 131072). Stacks that are longer are "
          "counted as truncated."},
     [](FlameOptions& o, std::string_view v) -> Result<void> {
       std::uint64_t bytes = 0;
       if (auto r = set_number(bytes, v, FLAME_PAGE, FLAME_STACK_MOST); !r) return r;
       o.stack_bytes = static_cast<std::uint32_t>(bytes);
       return {};
     }},
    {{.name = "raw-names", .group = kGroup, .help = "Names as they stand in the files, not demangled."},
     set<&FlameOptions::raw_names>},
    {{.name = "inline",
      .group = kGroup,
      .help =
          "Functions that the compiler inlined, and source lines, of binaries with debug information (DWARF)."},
     set<&FlameOptions::inlined>},
    {{.name = "no-python",
      .group = kGroup,
      .help =
          "Leave Python alone: the interpreter's own functions are shown, not those of the program that it runs."},
     set<&FlameOptions::python, false>},
    {{.name = "icicle", .group = kGroup, .help = "Flame graph with the root at the top."},
     set<&FlameOptions::icicle>},
});

}  // namespace

OptionTable flame_option_table(FlameOptions& options) {
  return OptionTable::of(kOptions, options);
}

Result<void> check_flame_options(const FlameOptions& o) {
  if (!o.user && !o.kernel) return Error{"--user and --kernel exclude each other"};
  if (o.wakers && o.event != FlameEvent::offcpu)
    return Error{"--wakers has no effect without --event offcpu", "it tells who ends a wait"};
  return {};
}

profile::Unit FlameOptions::unit() const {
  if (event == FlameEvent::block_bytes) return profile::Unit::bytes;
  return waits() || event == FlameEvent::block ? profile::Unit::nanoseconds : profile::Unit::count;
}

std::string event_text(const FlameOptions& o) {
  switch (o.event) {
    case FlameEvent::cpu:
      return "cpu";
    case FlameEvent::offcpu:
      return "offcpu";
    case FlameEvent::runq:
      return "runq";
    case FlameEvent::faults:
      return "faults";
    case FlameEvent::block:
      return "block";
    case FlameEvent::block_bytes:
      return "block:bytes";
    case FlameEvent::tracepoint:
      return o.category + ":" + o.name;
    case FlameEvent::uprobe:
      return o.category.substr(o.category.rfind('/') + 1) + ":" + o.name;
  }
  return {};
}

}  // namespace plumb
