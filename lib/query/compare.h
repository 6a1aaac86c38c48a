// Whether a measured number satisfies a limit.
#pragma once

#include <compare>

#include "query/syntax.h"

namespace plumb::query {

// `o` is how the measured one compares with the limit. False for what is no order.
constexpr bool satisfies(std::partial_ordering o, Compare c) {
  switch (c) {
    case Compare::equal:
      return std::is_eq(o);
    case Compare::not_equal:
      return std::is_lt(o) || std::is_gt(o);
    case Compare::less:
      return std::is_lt(o);
    case Compare::less_equal:
      return std::is_lteq(o);
    case Compare::greater:
      return std::is_gt(o);
    case Compare::greater_equal:
      return std::is_gteq(o);
    default:
      return false;
  }
}

}  // namespace plumb::query
