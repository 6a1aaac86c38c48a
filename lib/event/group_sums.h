// What is added up of the rows of a group, for --summary and --top alike: how many, how many of them failed, quantiles of
// their latency, and sums of their sizes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <variant>
#include <vector>

#include "base/quantiles.h"
#include "event/field.h"
#include "event/trouble.h"

namespace plumb {

struct GroupSums {
  std::uint64_t count = 0;
  std::uint64_t failed = 0;
  Quantiles latency;
  std::vector<std::uint64_t> sizes;  // in the order of GroupMeasures::sizes
  std::vector<bool> sized;           // there was something to add

  // Only of rows that are not counted and of which nothing is added up.
  bool is_empty() const {
    return count == 0 && latency.count() == 0 && std::ranges::count(sizes, 0U) == std::ssize(sizes);
  }
};

// The first duration that a table shows; one that it does not is no measure of the rows as a whole. npos: none.
inline std::size_t latency_field(const Schema& schema) {
  for (std::size_t i = 0; i < schema.size(); ++i) {
    if (schema.spec(i).type == FieldType::duration && schema.spec(i).shown) return i;
  }
  return Schema::npos;
}

class GroupMeasures {
 public:
  // `counted`: the types of rows that are counted; of the others only sizes are added, since a connection's close tells its
  // outcome and latency once more. `latency`: a field, or npos.
  GroupMeasures(const Schema& schema, TypeMask counted, std::size_t latency)
      : counted_(counted), latency_(latency), trouble_(schema) {
    for (std::size_t i = 0; i < schema.size(); ++i) {
      if (schema.spec(i).type == FieldType::bytes) sizes_.push_back(i);
    }
  }

  bool may_fail() const { return trouble_.can_be(); }
  std::size_t latency() const { return latency_; }
  const std::vector<std::size_t>& sizes() const { return sizes_; }

  // Of no row yet.
  GroupSums nothing() const {
    GroupSums sums;
    sums.sizes.resize(sizes_.size());
    sums.sized.resize(sizes_.size());
    return sums;
  }

  // Whether the row was counted.
  bool add(const Row& row, GroupSums& sums) const {
    const bool counts = (counted_ >> row.type() & 1U) != 0;
    if (counts) {
      ++sums.count;
      if (trouble_.in(row)) ++sums.failed;
      observe_latency(row, sums);
    }
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      if (!row.carries(sizes_[i])) continue;
      const Value v = row.get(sizes_[i]);
      const auto* n = std::get_if<std::uint64_t>(&v);
      if (n == nullptr) continue;
      sums.sizes[i] += *n;
      sums.sized[i] = true;
    }
    return counts;
  }

 private:
  void observe_latency(const Row& row, GroupSums& sums) const {
    if (latency_ == Schema::npos || !row.carries(latency_)) return;
    const Value v = row.get(latency_);
    if (const auto* d = std::get_if<Duration>(&v)) sums.latency.observe(static_cast<double>(d->ns));
  }

  TypeMask counted_;
  std::size_t latency_;
  Trouble trouble_;
  std::vector<std::size_t> sizes_;
};

}  // namespace plumb
