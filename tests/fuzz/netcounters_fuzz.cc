// The kernel's text files about counters, with any bytes in them: device names are chosen by
// users.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proc/net_counters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto parse : {plumb::parse_netstat, plumb::parse_snmp6, plumb::parse_softnet, plumb::parse_net_dev}) {
    plumb::Counters counters;
    parse(text, counters);
    if (counters.size() > 16 * (size + 1)) std::abort();
  }
  return 0;
}
