// How many of the rows of a --summary were misses: names that only a search list made, and that do not exist.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "query/summary.h"

namespace plumb {

struct SearchMissCounts {
  std::uint64_t lookups = 0;
  std::uint64_t misses = 0;
};

class SearchMisses final : public Summary {
 public:
  // Of rows with the fields of `lines`. `counts` outlives it.
  SearchMisses(std::unique_ptr<Summary> summary, const Schema& lines, SearchMissCounts& counts);

  const Schema& schema() const override { return summary_->schema(); }
  void add(const Row& row) override;
  void finish(const Out& out) override { summary_->finish(out); }
  std::uint64_t lost() const override { return summary_->lost(); }

 private:
  std::unique_ptr<Summary> summary_;
  SearchMissCounts& counts_;
  std::size_t name_;
  std::size_t search_of_;
  std::size_t rcode_;
  std::size_t outcome_;
};

}  // namespace plumb
