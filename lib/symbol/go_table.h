// Go's function table (.gopclntab), which every Go program carries, stripped or not: names, and for each
// address how much the function has moved the stack pointer. So Go's stacks need neither symbols nor
// call-frame information.
//
// Layouts of Go 1.16, 1.18 and 1.20 (src/runtime/symtab.go, type pcHeader and moduledata; the magic tells).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "symbol/elf.h"

namespace plumb {

class GoTable {
 public:
  struct Function {
    std::uint64_t start = 0;
    std::string_view name;  // valid as long as the table
    bool root = false;      // nothing calls it: goroutines and threads begin there
  };

  // Of a file without the table, or one whose layout is not known: empty().
  static GoTable of(const ElfFile& file);
  // From the table's bytes; `text`: where the code begins.
  GoTable(std::vector<std::byte> table, std::uint64_t text);
  GoTable() = default;

  bool empty() const { return count_ == 0; }
  std::size_t functions() const { return count_; }
  // The function that has an address (of the file).
  std::optional<Function> find(std::uint64_t address) const;
  // By how many bytes the stack pointer lies below the return address there; nothing: not known.
  std::optional<std::int32_t> stack_moved(std::uint64_t address) const;

 private:
  struct Entry {
    std::uint64_t start;
    std::size_t data;  // offset of its _func in table_
  };
  std::optional<Entry> entry(std::size_t index) const;
  std::optional<Entry> entry_at(std::uint64_t address) const;
  std::string_view name_at(std::uint64_t offset) const;

  std::vector<std::byte> table_;
  std::uint64_t text_ = 0;
  bool relative_ = false;  // 1.18: 4-byte offsets from text_ instead of addresses
  std::uint8_t quantum_ = 1;
  std::size_t count_ = 0;
  std::size_t names_ = 0, steps_ = 0, functions_ = 0;  // offsets of the tables in table_
};

}  // namespace plumb
