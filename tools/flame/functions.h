// The functions of a capture while it runs: in how much of the weight each was itself running, in how much it was
// anywhere on the stack. What --top shows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "profile/profile.h"

namespace plumb {

struct FunctionWeight {
  std::string name;
  std::string module;        // "libc.so.6", "[kernel]"; empty: unknown
  std::string comm = {};     // of --by comm
  std::uint32_t pid = 0;     // of --by pid
  std::uint64_t self = 0;    // weight of the stacks that it is the innermost function of
  std::uint64_t total = 0;   // weight of those that have it anywhere, each once
  std::uint64_t recent = 0;  // of `self`, what came in the last interval
};

class FunctionTable {
 public:
  // What a frame of the profile stands for, root first: its function, and what is inlined there.
  using Naming = std::function<void(const profile::Frame&, std::vector<profile::Frame>& out)>;

  // A function is one for each command name, and for each process; before the first stack.
  void group_by(bool comm, bool pid) { by_comm_ = comm, by_pid_ = pid; }
  // Adds all stacks up anew; a frame is named once, but for code that a runtime made and did not name yet.
  // `interval`: a new one begins at the state of the update before; otherwise the last one is longer.
  void update(const profile::Profile& profile, const Naming& naming, bool interval = true);
  // A stack of a process whose functions have names, the root first.
  void add(std::span<const std::string_view> functions, std::string_view comm, std::uint32_t pid,
           std::uint64_t weight);

  const std::vector<FunctionWeight>& functions() const { return functions_; }
  std::uint64_t weight() const { return weight_; }  // of all stacks
  std::uint64_t recent() const { return recent_; }  // of those in the last interval

 private:
  using FunctionId = std::uint32_t;
  struct Named {
    std::vector<FunctionId> functions;
    bool settled = false;  // its name will not change
  };

  FunctionId id_of(std::string_view name, std::string_view module);
  std::uint32_t group_of(std::string_view comm, std::uint32_t pid);
  // The function's row in a group.
  FunctionId in_group(FunctionId function, std::uint32_t group);
  FunctionId add_row(FunctionWeight row);
  void name(const profile::Profile& profile, const Naming& naming);
  void count(FunctionId id, std::uint64_t weight);

  std::vector<FunctionWeight> functions_;
  std::vector<std::uint64_t> seen_;    // by function: the last stack that had it
  std::vector<std::uint64_t> before_;  // by function: its own weight when the interval began
  std::vector<Named> frames_;          // by the profile's frame id
  std::unordered_map<std::string, FunctionId> ids_;
  bool by_comm_ = false, by_pid_ = false;
  std::vector<std::pair<std::string, std::uint32_t>> groups_;  // what their rows say; group 0 is all of them
  std::unordered_map<std::string, std::uint32_t> group_ids_;
  std::unordered_map<std::uint64_t, FunctionId> grouped_;  // by group and function
  std::optional<FunctionId> others_;                       // what is beyond the most rows
  std::vector<profile::Frame> out_;                        // reused
  std::string key_;                                        // reused
  std::uint64_t stack_ = 0;
  std::uint64_t weight_ = 0, recent_ = 0, weight_before_ = 0;
};

}  // namespace plumb
