// When a run may sleep for longer than its timer: once nothing has come for a while. 20 wake-ups a second for nothing cost a
// battery more than a trace does.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/clock.h"

namespace plumb {

class Idle {
 public:
  static constexpr int kTurnMs = 50;    // while events come, or may
  static constexpr int kSleepMs = 500;  // between looks at the clock, and at what no descriptor tells

  // At the end of each turn. `seen`: events so far; `probes`: what poll(2) said of theirs.
  void turned(BootTime now, std::uint64_t seen, std::span<const pollfd> probes) {
    const bool woken = std::ranges::any_of(probes, [](const pollfd& p) { return p.revents != 0; });
    if (seen != seen_ || woken) since_ = now;
    seen_ = seen;
  }
  bool quiet(BootTime now) const { return now.ns - since_.ns >= kQuietNs; }
  // As of the last turn.
  std::uint64_t seen() const { return seen_; }

 private:
  static constexpr std::uint64_t kQuietNs = 1'000'000'000;

  BootTime since_;
  std::uint64_t seen_ = 0;
};

}  // namespace plumb
