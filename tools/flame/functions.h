// The functions of a capture while it runs: in how much of the weight each was itself running, in how much it was
// anywhere on the stack. What --top shows.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "profile/profile.h"

namespace plumb {

struct FunctionWeight {
  std::string name;
  std::string module;        // "libc.so.6", "[kernel]"; empty: unknown
  std::uint64_t self = 0;    // weight of the stacks that it is the innermost function of
  std::uint64_t total = 0;   // weight of those that have it anywhere, each once
  std::uint64_t recent = 0;  // of `self`, what came in the last interval
};

class FunctionTable {
 public:
  // What a frame of the profile stands for, root first: its function, and what is inlined there.
  using Naming = std::function<void(const profile::Frame&, std::vector<profile::Frame>& out)>;

  // Adds all stacks up anew; a frame is named once, but for code that a runtime made and did not name yet.
  // `interval`: a new one begins at the state of the update before; otherwise the last one is longer.
  void update(const profile::Profile& profile, const Naming& naming, bool interval = true);
  // A stack whose functions have names, the root first.
  void add(std::span<const std::string_view> functions, std::uint64_t weight);

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
  void name(const profile::Profile& profile, const Naming& naming);
  void count(FunctionId id, std::uint64_t weight);

  std::vector<FunctionWeight> functions_;
  std::vector<std::uint64_t> seen_;    // by function: the last stack that had it
  std::vector<std::uint64_t> before_;  // by function: its own weight when the interval began
  std::vector<Named> frames_;          // by the profile's frame id
  std::unordered_map<std::string, FunctionId> ids_;
  std::vector<profile::Frame> out_;  // reused
  std::string key_;                  // reused
  std::uint64_t stack_ = 0;
  std::uint64_t weight_ = 0, recent_ = 0, weight_before_ = 0;
};

}  // namespace plumb
