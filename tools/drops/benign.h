// Drops that mean no loss: which they are where a reason alone does not say so, how many there were, and what
// is said of them at the end. (By reason the kernel side sorts them out: enum drops_treatment.)
#pragma once

#include <linux/types.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "drops/enrich.h"
#include "drops/event.h"

namespace plumb {

class BenignDrops {
 public:
  // `hidden`: they are counted instead of shown. `has_reason`: this kernel gives reasons at all.
  void set(bool hidden, bool has_reason) { hidden_ = hidden, has_reason_ = has_reason; }

  // Whether a single drop is not to be shown; then it is counted.
  bool takes(const drops_event& event, const DropLine& line, const LocationInfo& location);
  // The same of `count` drops with this reason that were added up; `known` is enum drops_known.
  bool takes(std::string_view reason, std::uint32_t known, Place place, std::uint64_t count);

  // On standard error: how many, with `verbose` also why. `by_reason` is what the kernel side left out.
  void report(std::span<const __u64> by_reason, DropTexts& texts, bool verbose) const;

 private:
  // Without a reason the place decides.
  bool is_harmless(std::string_view reason, std::uint32_t known, Place place) const;

  bool hidden_ = true;
  bool has_reason_ = false;
  std::uint64_t count_ = 0;
};

}  // namespace plumb
