// The options of drops, and what they mean to its kernel side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/option.h"
#include "drops/wire.h"
#include "probe/drop_reasons.h"
#include "run/address_options.h"

namespace plumb {

struct ReasonFilter {
  std::string name;
  bool negated = false;
};

struct DropsOptions {
  bool all = false;
  bool stack = false;
  bool icicle = false;
  std::uint8_t types = (1U << DROPS_TYPES) - 1;  // 1 << drops_type, or-ed
  bool types_given = false;
  std::uint64_t max_rate = 2000;  // lines a second; 0: no limit
  std::vector<ReasonFilter> reasons;
  std::vector<PortRange> ports;
  std::vector<HostPrefix> hosts;
  std::vector<std::string> devs;
  std::vector<std::uint8_t> protocols;

  bool wants(drops_type t) const { return (types >> t & 1U) != 0; }
  bool only_counters() const { return types == 1U << DROPS_COUNTER; }
  // Whether an option asks for certain packets, which a counter cannot be held to.
  bool selects_packets() const {
    return !reasons.empty() || !ports.empty() || !hosts.empty() || !devs.empty() || !protocols.empty();
  }
  // Whether only what was dropped or reset for certain reasons is wanted.
  bool only_reasons() const { return !reasons.empty() && !reasons.front().negated; }
};

OptionTable drops_option_table(DropsOptions& options);
// The table's columns, by key.
std::vector<std::string> drop_columns(const DropsOptions& options);
// More values than the kernel side has room for, or that exclude each other.
Result<void> check_drops_options(const DropsOptions& options);
// Fills all of the kernel side's constants that follow from the options; a reason that this kernel does not
// have is an Error with near names. `resets` are the reasons of resets.
Result<void> configure_drops(const DropsOptions& options, const DropReasons& reasons,
                             const DropReasons& resets, drops_config& config);

}  // namespace plumb
