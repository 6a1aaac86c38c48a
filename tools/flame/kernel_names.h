// Names of the kernel's own addresses. The kernel prints its 100,000 symbols into /proc/kallsyms one by one, for the
// hundreds that a capture meets; that alone took a third of all CPU time of a capture. So it is asked for those, by a program
// that formats addresses (Linux 5.13); /proc/kallsyms is for older ones.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flame/wire.h"
#include "symbol/kallsyms.h"

namespace plumb {

class KernelNames {
 public:
  // Runs the program over `names`, which lies in memory that both share. False: it cannot answer.
  struct Source {
    flame_names* names = nullptr;
    std::function<bool()> ask;
  };
  explicit KernelNames(KernelSymbols symbols) : symbols_(std::move(symbols)) {}
  // Outlives it.
  void ask(Source source) { source_ = std::move(source); }

  // Looks up those that were not before, many at once.
  void learn(std::span<const std::uint64_t> addresses);
  // Empty: it has none. Valid as long as this.
  std::string_view find(std::uint64_t address);
  // Why there are no symbols; empty while nothing is wrong. Known after the first find().
  const std::string& problem() const { return symbols_.problem(); }

 private:
  bool ask(std::span<const std::uint64_t> addresses);

  KernelSymbols symbols_;
  Source source_;
  std::unordered_map<std::uint64_t, std::string> names_;
};

}  // namespace plumb
