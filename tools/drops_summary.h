// The totals of --summary, from wherever they come: the kernel's own, or events that an expression or a
// process filter had to look at one by one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bpf/drops.h"
#include "tools/drops.h"
#include "tools/drops_enrich.h"
#include "tools/drops_options.h"

namespace plumb {

struct DropTotal {
  drops_key key{};
  drops_total total{};
};

// An entry in names. A view of `entry` and `texts`.
DropSummary describe(const DropTotal& entry, DropTexts& texts);

class DropSums {
 public:
  void add(const DropLine& line, const DropsOptions& grouping);
  void add(const DropTotal& entry);
  // Most frequent first.
  std::vector<DropTotal> sorted() const;
  // More keys than this are counted together under the key without a flow.
  static constexpr std::size_t kMaxKeys = 65'536;

 private:
  std::map<std::string, DropTotal> totals_;  // by the bytes of the key
};

}  // namespace plumb
