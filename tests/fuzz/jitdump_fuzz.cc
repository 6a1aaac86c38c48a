// Dumps of any bytes give the same names in whatever pieces they come.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "symbol/jit_dump.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<plumb::WantedName> search(std::span<const std::byte> bytes, std::size_t piece) {
  std::vector<plumb::WantedName> wanted;
  for (std::uint64_t a = 0; a < 32; ++a) wanted.push_back({a * 0x10});
  plumb::JitDumpSearch s(wanted);
  while (!bytes.empty()) {
    const std::size_t n = std::min(piece, bytes.size());
    s.feed(bytes.first(n));
    bytes = bytes.subspan(n);
  }
  return wanted;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto whole = search(bytes, std::max<std::size_t>(size, 1));
  const auto bytewise = search(bytes, 1);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    require(whole[i].name == bytewise[i].name);
    require(whole[i].name.empty() || whole[i].start <= whole[i].address);
  }
  return 0;
}
