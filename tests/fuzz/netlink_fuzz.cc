// rtnetlink's answers, any bytes: a length that lies leads nowhere outside.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "proc/net_counters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::unique_ptr<std::byte[]> own(new std::byte[size]);  // so that a byte too far is one too many
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, own.get());
  const std::span<const std::byte> piece(own.get(), size);
  std::map<int, std::string> names{{1, "lo"}, {2, "eth0"}};
  plumb::Counters counters;
  (void)plumb::parse_links(piece, names);
  (void)plumb::parse_qdiscs(piece, names, counters);
  if (names.size() > 2 + size / 16 || counters.size() > 2 * names.size()) std::abort();
  return 0;
}
