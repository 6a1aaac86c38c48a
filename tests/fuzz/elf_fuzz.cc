// ELF files of any bytes: headers, symbols, MiniDebugInfo, debug links, Go's table, call-frame information, what a Python
// says of itself.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "flame/python_program.h"
#include "symbol/cfi.h"
#include "symbol/elf.h"
#include "symbol/elf_symbols.h"
#include "symbol/go_table.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  auto file = plumb::ElfFile::open(plumb::elf_bytes(std::vector<std::byte>(bytes, bytes + size)));
  if (!file) return 0;
  require(file->low_address() <= file->end_address());
  require(file->sections().size() <= plumb::ElfFile::kMaxSections);
  std::vector<plumb::WantedName> wanted;
  for (std::uint64_t a = 0; a < 64; ++a) wanted.push_back({file->low_address() / 2 + a * 97});
  plumb::find_symbols(*file, wanted);
  for (const auto& w : wanted) require(w.name.empty() || w.start <= w.address);
  plumb::debuglink_of(*file);
  if (const auto python = plumb::find_python(*file)) plumb::python_version_text(*python);
  plumb::UnwindTable table = plumb::UnwindTable::of(*file);
  const plumb::GoTable go = plumb::GoTable::of(*file);
  for (const auto& w : wanted) {
    if (const auto start = table.function_start(w.address)) require(*start <= w.address);
    table.find(w.address);
    go.find(w.address);
    go.stack_moved(w.address);
  }
  return 0;
}
