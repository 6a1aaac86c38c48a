// What --stats says at the end: what was seen, kept and lost, and what it cost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"

struct bpf_object;

namespace plumb {

struct EventCounts {
  std::uint64_t seen = 0;      // by the hooks
  std::uint64_t kept = 0;      // after all filters
  std::uint64_t filtered = 0;  // by expressions
  std::string kinds;           // what was kept, by type
  std::uint64_t lost = 0;      // no room
};

// "33 connects, 9 failed, 0 lost in 5 s; 214 filtered out". `in_kernel`: what was kept is in a summary of the kernel's.
std::string ending_text(const EventCounts& counts, bool in_kernel, Duration elapsed);
// On standard error, unless nothing was.
void say_lost(std::uint64_t events, std::string_view why);
void say_not_written(std::uint64_t lines, std::string_view where, std::string_view why);

class RunStats {
 public:
  // Switches on the kernel's accounting of BPF programs (BPF_ENABLE_STATS) for as long as this object lives.
  void enable();
  // Reads run count and time of every loaded program. Before the programs are gone.
  void collect(const bpf_object* object);
  struct Program {
    std::string name;
    std::uint64_t runs;
    std::uint64_t ns;
  };
  // Of those collected; empty when they are not counted.
  const std::vector<Program>& programs() const { return programs_; }
  // On standard error.
  void print(std::string_view tool, const EventCounts& counts) const;

 private:
  UniqueFd accounting_;
  std::vector<Program> programs_;
};

}  // namespace plumb
