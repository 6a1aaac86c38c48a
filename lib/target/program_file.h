// An ELF file as a source of functions: where they start and end, what their bytes are, where they lie in the file.
// The files belong to the traced processes: all bytes are hostile, what is read is bounded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "symbol/elf.h"
#include "target/returns.h"

namespace plumb {

class GoFunctions;

class ProgramFile final : public CodeSource {
 public:
  static Result<ProgramFile> open(std::unique_ptr<ElfBytes> bytes);

  // The functions of these names that are defined here, by the symbol tables (.dynsym, then .symtab).
  std::map<std::string_view, CodeRange> find(std::span<const std::string_view> names) const;
  // The same from a Go program's own table, stripped or not. Empty for programs that are not Go's.
  std::map<std::string_view, CodeRange> find_go(std::span<const std::string_view> names) const;

  // Whether the Go tool chain linked it, and its version ("go1.24.4"; "go" when unknown).
  std::optional<std::string> go() const;
  // Whether a symbol's name contains `part`: tells what was linked statically.
  bool names_contain(std::string_view part) const;
  // Whether there is a .symtab, so that what is not found is not there.
  bool has_symbols() const { return elf_.section(".symtab") != nullptr; }
  std::uint16_t machine() const { return elf_.machine(); }

  // Where a code address lies in the file, which is what uprobes are placed by.
  std::optional<std::uint64_t> file_offset(std::uint64_t address) const;

  std::vector<std::byte> read(std::uint64_t address, std::size_t size) const override;
  std::optional<CodeRange> function_at(std::uint64_t address) const override;
  std::optional<std::uint64_t> slot_target(std::uint64_t slot) const override;

 private:
  explicit ProgramFile(ElfFile elf) : elf_(std::move(elf)) {}
  struct Symbols {
    std::vector<std::byte> entries;
    std::vector<std::byte> names;
  };
  Symbols symbols(std::string_view section) const;
  // The function that starts there by call-frame information, which those without a symbol have, too.
  std::optional<CodeRange> framed_at(std::uint64_t address) const;
  std::vector<std::byte> bounded(const ElfSection* section) const;
  void collect(const Symbols& from, std::span<const std::string_view> names,
               std::map<std::string_view, CodeRange>& out) const;
  std::pair<std::uint64_t, std::vector<std::byte>> go_table() const;
  std::optional<std::uint64_t> go_text_start(std::uint64_t table, const GoFunctions& functions) const;

  ElfFile elf_;
  mutable std::optional<Symbols> dynamic_;  // read when first asked for
};

}  // namespace plumb
