// Names of addresses from a file's symbol tables. A capture knows a thousand addresses and a file a hundred
// thousand symbols; so the addresses are sorted, the symbols stream past them, and only the names of those
// that were hit are read. Memory does not depend on the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "symbol/elf.h"

namespace plumb {

// A table that wants names: addresses of the file, ascending.
struct WantedName {
  std::uint64_t address = 0;
  std::string name = {};    // as it stands in the table; empty: not found
  std::uint64_t start = 0;  // of the function that has it
};

// Fills in what .symtab, .dynsym and the packed .gnu_debugdata of `file` know. Entries that have a name stay
// as they are.
void find_symbols(const ElfFile& file, std::vector<WantedName>& wanted);

// The file inside .gnu_debugdata: an ELF file packed with xz, which has the .symtab that was stripped
// (MiniDebugInfo). Empty: there is none, or it is damaged or longer than 64 MB.
std::vector<std::byte> debugdata_of(const ElfFile& file);

// What .gnu_debuglink says; an empty name: nothing.
struct DebugLink {
  std::string name;
  std::uint32_t crc = 0;
};
DebugLink debuglink_of(const ElfFile& file);

}  // namespace plumb
