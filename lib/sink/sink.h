// Sink: where events end. Its interface includes losses, so that no sink can forget them. Rows are events of
// a tool; stacks are aggregated (flame, drop stacks, kernel-side summaries give rows). A sink never knows
// which tool feeds it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "event/field.h"

namespace plumb {

// Events that plumb knows it did not see. Reported where the loss was noticed.
struct Loss {
  UnixTime time;
  std::uint64_t count = 0;
  std::string_view why;  // "the ring buffer was full"
};

// An aggregated stack: what flame and `drops --stack` produce.
struct Stack {
  std::span<const std::string_view> frames;  // root first
  std::uint64_t count = 0;                   // samples
  std::uint64_t value = 0;                   // weight in `unit`
  std::string_view unit;                     // "samples", "ns", "bytes"
  std::string_view event;                    // "cpu-clock"
  std::string_view comm;                     // empty: unknown
  std::uint32_t pid = 0;                     // 0: unknown
};

class Sink {
 public:
  virtual ~Sink() = default;

  // Before the first event.
  virtual Result<void> begin() { return {}; }
  virtual Result<void> row(const Row& row) = 0;
  // Sinks for rows show a stack as a row of the tool's schema, when that is a table of Field<Stack>. Sinks
  // for which a stack means nothing refuse in the option parser, so the default is never reached in the
  // field.
  virtual Result<void> stack(const Stack& stack);
  virtual Result<void> lost(const Loss& loss) = 0;
  // After each drain of the ring buffer, at least every 100 ms: write out what is buffered, redraw what is
  // live.
  virtual Result<void> flush() { return {}; }
  // After the last event. `ended_at` is when the probes came off.
  virtual Result<void> end() { return flush(); }
};

}  // namespace plumb
