// --port and --host as every tool that knows ports and addresses takes them: lists, ranges and prefixes, each
// negatable with `!`. With negated items only, everything but those passes; with others, what matches one of
// them and no negated one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

struct address_filter;  // bpf/address_filter.h

namespace plumb {

struct PortRange {
  std::uint16_t low = 0;
  std::uint16_t high = 0;  // inclusive
  bool negated = false;
};

struct HostPrefix {
  IpPrefix prefix;
  bool negated = false;
};

// "443", "8000-8099", "!22"; several with commas. More than FILTER_MAX_PORTS in all are a wrong command line.
Result<void> add_ports(std::vector<PortRange>& ports, std::string_view text);
// "10.0.0.0/8", "fd00::1", "!127.0.0.0/8"; several with commas. More than FILTER_MAX_HOSTS are too many.
Result<void> add_hosts(std::vector<HostPrefix>& hosts, std::string_view text);

// The same as constants of a program that includes address_filter.bpf.h, before it is loaded.
void set_addresses(address_filter& constants, std::span<const PortRange> ports,
                   std::span<const HostPrefix> hosts);

}  // namespace plumb
