// Sink: where rows end, the events of a tool or what was made of them. Its interface includes losses, so that no sink can
// forget them. A sink never knows which tool feeds it. (Stacks are no rows: lib/profile.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

class Sink {
 public:
  virtual ~Sink() = default;

  // Before the first event.
  virtual Result<void> begin() { return {}; }
  virtual Result<void> row(const Row& row) = 0;
  virtual Result<void> lost(const Loss& loss) = 0;
  // What stands below the rows of a table, in lines of at most `columns`; asked at the end. Other sinks have no place for it.
  using Below = std::function<std::string(std::size_t columns)>;
  virtual void below([[maybe_unused]] Below text) {}
  // After each drain of the ring buffer, at least every 100 ms: write out what is buffered, redraw what is
  // live.
  virtual Result<void> flush() { return {}; }
  // After the last event. `ended_at` is when the probes came off.
  virtual Result<void> end() { return flush(); }
};

}  // namespace plumb
