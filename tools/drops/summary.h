// The totals of --summary, from wherever they come: the kernel's own, or events that an expression or a
// process filter had to look at one by one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drops/benign.h"
#include "drops/enrich.h"
#include "drops/event.h"
#include "drops/options.h"
#include "drops/wire.h"
#include "query/summary.h"

namespace plumb {

struct DropTotal {
  drops_key key{};
  drops_total total{};
};

// All that the kernel has added up in its map.
std::vector<DropTotal> read_totals(int map_fd);
// The line for what rate limits left out. A view of `grown`; names are still to come.
DropLine line_of(const DropTotal& grown, UnixTime time);

// An entry in names. A view of `entry` and `texts`.
DropSummary describe(const DropTotal& entry, DropTexts& texts);

class DropSums final : public Summary {
 public:
  // `benign` outlives it.
  explicit DropSums(BenignDrops& benign) : benign_(benign) {}
  // Before finish(): what names reasons and places.
  void use(DropTexts& texts) { texts_ = &texts; }

  const Schema& schema() const override { return kDropSummarySchema; }
  void add(const Row& row) override {
    if (const auto* line = row.event<DropLine>(); line != nullptr) add(*line);
  }
  void add(const DropLine& line);
  // One that the kernel added up.
  void add(const DropTotal& entry);
  // Most frequent first.
  void finish(const Out& out) override;
  // More keys than this are counted together under the key without a flow.
  static constexpr std::size_t kMaxKeys = 65'536;

 private:
  std::vector<DropTotal> sorted() const;

  BenignDrops& benign_;
  DropTexts* texts_ = nullptr;
  std::map<std::string, DropTotal> totals_;  // by the bytes of the key
};

// By how much totals that only grow did.
class DropGrowth {
 public:
  // Those that grew since the last call, each with the difference.
  std::vector<DropTotal> since_last(std::vector<DropTotal> totals);

 private:
  std::map<std::string, drops_total> last_;  // by the bytes of the key
};

}  // namespace plumb
