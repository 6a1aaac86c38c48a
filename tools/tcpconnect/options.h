// The options of tcpconnect.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/option.h"
#include "run/address_options.h"

namespace plumb {

struct TcpconnectOptions {
  bool client = true;
  bool server = false;
  bool role_given = false;
  bool life = false;
  bool only_v4 = false;
  bool only_v6 = false;
  bool failed = false;
  bool names = true;
  std::int64_t min_latency_ns = 0;
  std::vector<PortRange> ports;
  std::vector<HostPrefix> hosts;
};

OptionTable tcpconnect_option_table(TcpconnectOptions& options);

}  // namespace plumb
