// What flame tells: aggregated stacks.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "event/field.h"

namespace plumb {

struct Stack {
  std::span<const std::string_view> frames;  // root first
  std::uint64_t count = 0;                   // samples
  std::uint64_t value = 0;                   // weight in `unit`
  std::string_view unit;                     // "count", "nanoseconds", "bytes"
  std::string_view event;                    // "cpu-clock"
  std::string_view comm;                     // empty: unknown
  std::uint32_t pid = 0;                     // 0: unknown
};

extern const Schema kStackSchema;  // rows are Stacks

}  // namespace plumb
