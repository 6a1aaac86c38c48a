// The options of flame.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/option.h"
#include "profile/profile.h"

namespace plumb {

enum class FlameEvent : std::uint8_t { cpu, offcpu, runq, faults, block, block_bytes, tracepoint, uprobe };

struct FlameOptions {
  FlameEvent event = FlameEvent::cpu;
  std::string category, name;  // of the tracepoint; of a uprobe: path and symbol
  bool user = true, kernel = true, python = true;
  bool threads = false, per_cpu = false, idle = false, raw_names = false, inlined = false, icicle = false,
       wakers = false;
  std::vector<std::uint32_t> tids;
  std::uint64_t frequency = 99;              // samples a second and CPU
  std::uint32_t stack_bytes = 65'536;        // of user stack to copy
  std::optional<std::int64_t> min_block_ns;  // default: 1 ms of offcpu, 0 of runq

  // Stacks of threads that wait, weighted by the time.
  bool waits() const { return event == FlameEvent::offcpu || event == FlameEvent::runq; }
  bool is_block() const { return event == FlameEvent::block || event == FlameEvent::block_bytes; }
  profile::Unit unit() const;  // of the weights
  std::size_t depth = 1'024;   // frames
};

OptionTable flame_option_table(FlameOptions& options);
Result<void> check_flame_options(const FlameOptions& options);
// "cpu", "offcpu", "tracepoint:sched:sched_switch".
std::string event_text(const FlameOptions& options);

}  // namespace plumb
