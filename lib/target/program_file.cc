#include "target/program_file.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "symbol/bytes_reader.h"
#include "symbol/cfi_entry.h"
#include "symbol/machine.h"
#include "target/go_functions.h"

namespace plumb {
namespace {

// Larger tables than any that was met (node: 2.6 MB of symbols, 7.5 MB of names; kubelet: 28 MB of pclntab).
constexpr std::uint64_t kMaxTable = std::uint64_t{96} << 20;
constexpr std::size_t kGuessedSize = 16 * 1024;  // for a function without size and without a neighbour

std::size_t count_of(std::span<const std::byte> entries) {
  return entries.size() / sizeof(Elf64_Sym);
}

bool is_function(const Elf64_Sym& s) {
  return s.st_shndx != SHN_UNDEF && s.st_shndx < SHN_LORESERVE && ELF64_ST_TYPE(s.st_info) == STT_FUNC;
}

// A symbol without size (written in assembly) ends where the next one starts.
std::uint64_t size_of(const Elf64_Sym& symbol, std::span<const std::byte> entries) {
  if (symbol.st_size != 0) return symbol.st_size;
  std::uint64_t next = symbol.st_value + kGuessedSize;
  for (std::size_t i = 0; i < count_of(entries); ++i) {
    const auto s = load<Elf64_Sym>(entries, i * sizeof(Elf64_Sym));
    if (is_function(s) && s.st_value > symbol.st_value) next = std::min(next, s.st_value);
  }
  return next - symbol.st_value;
}

}  // namespace

Result<ProgramFile> ProgramFile::open(std::unique_ptr<ElfBytes> bytes) {
  auto elf = ElfFile::open(std::move(bytes));
  if (!elf) return std::move(elf).error();
  return ProgramFile(*std::move(elf));
}

std::vector<std::byte> ProgramFile::bounded(const ElfSection* section) const {
  return section == nullptr || section->size > kMaxTable ? std::vector<std::byte>{} : elf_.contents(*section);
}

ProgramFile::Symbols ProgramFile::symbols(std::string_view name) const {
  const ElfSection* section = elf_.section(name);
  if (section == nullptr || section->link >= elf_.sections().size()) return {};
  return {bounded(section), bounded(&elf_.sections()[section->link])};
}

void ProgramFile::collect(const Symbols& from, std::span<const std::string_view> names,
                          std::map<std::string_view, CodeRange>& out) const {
  for (std::size_t i = 0; i < count_of(from.entries); ++i) {
    const auto s = load<Elf64_Sym>(from.entries, i * sizeof(Elf64_Sym));
    if (!is_function(s) || s.st_name >= from.names.size()) continue;
    BytesReader reader(from.names, s.st_name);
    const std::string_view name = reader.take_string();
    const auto wanted = std::find(names.begin(), names.end(), name);
    if (wanted != names.end() && !out.contains(*wanted))
      out.emplace(*wanted, CodeRange{s.st_value, size_of(s, from.entries)});
  }
}

std::map<std::string_view, CodeRange> ProgramFile::find(std::span<const std::string_view> names) const {
  std::map<std::string_view, CodeRange> out;
  if (!dynamic_) dynamic_ = symbols(".dynsym");
  collect(*dynamic_, names, out);
  if (out.size() < names.size()) collect(symbols(".symtab"), names, out);
  return out;
}

bool ProgramFile::names_contain(std::string_view part) const {
  for (const char* table : {".symtab", ".dynsym"}) {
    const std::vector<std::byte> names = symbols(table).names;
    const std::string_view text(reinterpret_cast<const char*>(names.data()), names.size());
    if (text.find(part) != std::string_view::npos) return true;
  }
  return false;
}

std::optional<std::uint64_t> ProgramFile::file_offset(std::uint64_t address) const {
  for (const ElfSegment& s : elf_.segments()) {
    if (s.type == PT_LOAD && (s.flags & PF_X) != 0 && address >= s.address &&
        address - s.address < s.file_size)
      return s.offset + (address - s.address);
  }
  return std::nullopt;
}

std::vector<std::byte> ProgramFile::read(std::uint64_t address, std::size_t size) const {
  for (const ElfSegment& s : elf_.segments()) {
    if (s.type != PT_LOAD || address < s.address || address - s.address >= s.file_size) continue;
    const std::uint64_t left = s.file_size - (address - s.address);
    std::vector<std::byte> out(std::min<std::uint64_t>({size, left, kMaxTable}));
    if (!elf_.bytes().read(s.offset + (address - s.address), out)) return {};
    return out;
  }
  return {};
}

std::optional<CodeRange> ProgramFile::function_at(std::uint64_t address) const {
  if (!dynamic_) dynamic_ = symbols(".dynsym");
  for (std::size_t i = 0; i < count_of(dynamic_->entries); ++i) {
    const auto s = load<Elf64_Sym>(dynamic_->entries, i * sizeof(Elf64_Sym));
    if (is_function(s) && s.st_value == address && s.st_size != 0) return CodeRange{address, s.st_size};
  }
  return kMachine == EM_AARCH64 ? framed_at(address) : std::nullopt;
}

// A call that never comes back (__stack_chk_fail) is the last instruction of a function of arm64; who follows the code goes
// on into the next function, and from there to everywhere. What follows such a call on x86-64 has led nowhere so far.
std::optional<CodeRange> ProgramFile::framed_at(std::uint64_t address) const {
  const ElfSection* section = elf_.section(".eh_frame");
  const std::vector<std::byte> bytes = bounded(section);
  if (bytes.empty()) return std::nullopt;
  const CfiSection frames{bytes, section->address, false};
  std::size_t at = 0;
  while (const auto entry = cfi_entry_at(frames, at)) {
    const auto fde = entry->is_fde ? cfi_fde_at(frames, at) : std::nullopt;
    if (fde && fde->start == address && fde->size != 0) return CodeRange{address, fde->size};
    if (entry->next <= at) break;
    at = entry->next;
  }
  return std::nullopt;
}

// Both psABIs: JUMP_SLOT and GLOB_DAT name a symbol; RELATIVE carries the address.
std::optional<std::uint64_t> ProgramFile::slot_target(std::uint64_t slot) const {
  if (!dynamic_) dynamic_ = symbols(".dynsym");
  for (const char* name : {".rela.plt", ".rela.dyn"}) {
    const std::vector<std::byte> entries = bounded(elf_.section(name));
    for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= entries.size(); at += sizeof(Elf64_Rela)) {
      const auto rela = load<Elf64_Rela>(entries, at);
      if (rela.r_offset != slot) continue;
      if (ELF64_R_TYPE(rela.r_info) == kRelative) return static_cast<std::uint64_t>(rela.r_addend);
      const std::uint64_t index = ELF64_R_SYM(rela.r_info);
      if (index >= count_of(dynamic_->entries)) return std::nullopt;
      const auto s = load<Elf64_Sym>(dynamic_->entries, index * sizeof(Elf64_Sym));
      return is_function(s) ? std::optional(s.st_value) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace plumb
