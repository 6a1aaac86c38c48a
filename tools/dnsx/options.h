// The options of dnsx.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/option.h"

namespace plumb {

struct DnsxOptions {
  bool client = true;
  bool server = false;
  bool libc = false;
  std::int64_t timeout_ns = 5'000'000'000;
  std::vector<std::uint16_t> ports;  // empty: 53
};

OptionTable dnsx_option_table(DnsxOptions& options);

}  // namespace plumb
