// The kernel's symbols from any bytes, in pieces: names stay inside, and a look-up finds the nearest below.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "symbol/kallsyms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  plumb::KernelSymbolTable table;
  const std::size_t piece = 1 + data[0];
  while (!bytes.empty()) {
    table.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  table.finish();
  for (const std::uint64_t address :
       {std::uint64_t{0}, std::uint64_t{0x1000}, std::uint64_t{0xffffffff81000000}, UINT64_MAX}) {
    const auto symbol = table.find(address);
    if (symbol && (symbol->offset > address || symbol->name.empty())) std::abort();
    std::string text;
    plumb::append_location(text, address, symbol);
  }
  return 0;
}
