// Arithmetic over aggregates, of this run and of a baseline: 1.2 * base(p99(latency)) + 5ms. Units are checked: what is added
// or compared has one unit; a number without one takes that of the other side where a name there says it (latency_ms);
// products and quotients have at most one.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "query/aggregate.h"
#include "query/estimate.h"

namespace plumb::query {

struct Comparison {
  std::size_t left = 0, right = 0;  // of the Sums
  Compare compare = Compare::equal;
};

class Sums {
 public:
  // Which aggregate an operand is: its place and whether it is of the baseline.
  struct Leaf {
    std::size_t place = 0;
    bool base = false;
  };
  struct Find {
    std::function<Result<Leaf>(const Operand&)> place;
    std::function<const Aggregate&(Leaf)> aggregate;
  };

  // `left OP right`, whose units agree.
  Result<Comparison> compile(std::string_view text, const Operand& left, Compare compare,
                             const Operand& right, const Find& find);

  // With the aggregates' values; nothing: one of them is unknown.
  std::optional<Estimate> value(std::size_t node, std::span<const std::optional<Estimate>> run,
                                std::span<const std::optional<Estimate>> base) const;
  // Whether there is an aggregate below `node`.
  bool measures(std::size_t node) const;
  // Whether some aggregate of the baseline below `node` has no value.
  bool lacks_base(std::size_t node, std::span<const std::optional<Estimate>> base) const;

 private:
  enum class Kind : std::uint8_t { number, leaf, plus, minus, times, over };
  struct Node {
    Kind kind = Kind::number;
    Measure measure = Measure::plain;
    bool says_unit = false;  // a name in it does
    double number = 0;
    Leaf leaf;
    std::size_t left = 0, right = 0;
    Span at;
  };

  Result<std::size_t> add(std::string_view text, const Operand& operand, const Find& find);
  Result<std::size_t> add_arithmetic(std::string_view text, const Operand& operand, const Find& find);
  Result<Measure> agree(std::string_view text, Span at, std::size_t& left, std::size_t& right);
  Result<std::size_t> adapted(std::string_view text, std::size_t node, const Node& other);
  std::size_t push(Node node);

  std::vector<Node> nodes_;
};

}  // namespace plumb::query
