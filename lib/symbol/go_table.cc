#include "symbol/go_table.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <utility>

#include "symbol/bytes_reader.h"

namespace plumb {
namespace {

constexpr std::uint32_t kGo116 = 0xffff'fffa;
constexpr std::uint32_t kGo118 = 0xffff'fff0;
constexpr std::uint32_t kGo120 = 0xffff'fff1;
constexpr std::size_t kMaxFunctions = std::size_t{1} << 24;
constexpr std::size_t kMaxSteps = 100'000;  // of one function

// Where goroutines and threads begin (src/runtime: the functions that gentraceback stops at).
constexpr std::array<std::string_view, 6> kRoots{"runtime.goexit", "runtime.mstart",    "runtime.rt0_go",
                                                 "runtime.mcall",  "runtime.morestack", "_rt0_amd64_linux"};

// Newer layouts do not say where the code begins: Go 1.26 leaves the field zero. It is .text, or in a C
// program with Go in it the symbol runtime.text, which is not looked for.
std::uint64_t text_of(const ElfFile& file) {
  const ElfSection* text = file.section(".text");
  return text != nullptr ? text->address : 0;
}

}  // namespace

GoTable GoTable::of(const ElfFile& file) {
  for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab"}) {
    if (const ElfSection* s = file.section(name); s != nullptr) return {file.contents(*s), text_of(file)};
  }
  return {};
}

GoTable::GoTable(std::vector<std::byte> table, std::uint64_t text) : table_(std::move(table)), text_(text) {
  BytesReader reader(table_);
  const auto magic = reader.take<std::uint32_t>();
  const bool zeros = reader.take<std::uint16_t>() == 0;
  quantum_ = reader.take<std::uint8_t>();
  const auto pointer_size = reader.take<std::uint8_t>();
  if (!zeros || quantum_ == 0 || pointer_size != 8) return;
  if (magic != kGo116 && magic != kGo118 && magic != kGo120) return;
  relative_ = magic != kGo116;
  const auto functions = reader.take<std::uint64_t>();
  reader.take<std::uint64_t>();  // number of files
  if (relative_) {
    if (const auto start = reader.take<std::uint64_t>(); start != 0) text_ = start;
  }
  const auto names = reader.take<std::uint64_t>();
  reader.take<std::uint64_t>();  // compilation units
  reader.take<std::uint64_t>();  // files
  const auto steps = reader.take<std::uint64_t>();
  const auto lines = reader.take<std::uint64_t>();
  const std::size_t width = relative_ ? 4 : 8;
  if (!reader.ok() || functions > kMaxFunctions || names >= table_.size() || steps >= table_.size() ||
      lines >= table_.size() || (table_.size() - lines) / (2 * width) < functions + 1) {
    return;
  }
  names_ = names;
  steps_ = steps;
  functions_ = lines;
  count_ = functions;
}

std::optional<GoTable::Entry> GoTable::entry(std::size_t index) const {
  BytesReader reader(table_, functions_ + index * (relative_ ? 8 : 16));
  Entry e{};
  if (relative_) {
    e.start = text_ + reader.take<std::uint32_t>();
    e.data = functions_ + reader.take<std::uint32_t>();
  } else {
    e.start = reader.take<std::uint64_t>();
    e.data = functions_ + reader.take<std::uint64_t>();
  }
  if (!reader.ok()) return std::nullopt;
  return e;
}

// The table is sorted, or what is found is wrong but harmless: entries are checked against the address.
std::optional<GoTable::Entry> GoTable::entry_at(std::uint64_t address) const {
  std::size_t low = 0;
  std::size_t high = count_;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const auto e = entry(middle);
    if (!e) return std::nullopt;
    if (e->start <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return std::nullopt;
  const auto next = entry(low);  // behind the last one: the end of the code
  if (!next || address >= next->start) return std::nullopt;
  return entry(low - 1);
}

std::string_view GoTable::name_at(std::uint64_t offset) const {
  if (offset > table_.size() - names_) return {};
  BytesReader reader(table_, names_ + static_cast<std::size_t>(offset));
  return reader.take_string();
}

std::optional<GoTable::Function> GoTable::find(std::uint64_t address) const {
  if (empty()) return std::nullopt;
  const auto e = entry_at(address);
  if (!e) return std::nullopt;
  BytesReader reader(table_, e->data);
  if (relative_) {
    reader.take<std::uint32_t>();
  } else {
    reader.take<std::uint64_t>();
  }
  const auto name = reader.take<std::uint32_t>();
  if (!reader.ok()) return std::nullopt;
  Function f{.start = e->start, .name = name_at(name)};
  f.root = std::ranges::find(kRoots, f.name) != kRoots.end();
  return f;
}

// A table of pairs: by how much the value changes (zigzag), and for how many instructions' quanta it holds;
// src/runtime/symtab.go, step().
std::optional<std::int32_t> GoTable::stack_moved(std::uint64_t address) const {
  if (empty()) return std::nullopt;
  const auto e = entry_at(address);
  if (!e) return std::nullopt;
  // type _func: entry, name, args, deferreturn, pcsp.
  BytesReader func(table_, e->data + (relative_ ? 4 : 8) + 3 * 4);
  const auto steps = func.take<std::uint32_t>();
  if (!func.ok() || steps == 0 || steps > table_.size() - steps_) return std::nullopt;
  BytesReader reader(table_, steps_ + steps);
  std::int64_t value = -1;
  std::uint64_t at = e->start;
  for (std::size_t i = 0; i < kMaxSteps && reader.ok(); ++i) {
    const std::uint64_t change = reader.take_uleb();
    if (change == 0 && i != 0) return std::nullopt;
    value += static_cast<std::int64_t>(change >> 1) ^ -static_cast<std::int64_t>(change & 1);
    at += reader.take_uleb() * quantum_;
    if (address < at) {
      if (value < 0 || value > INT32_MAX) return std::nullopt;
      return static_cast<std::int32_t>(value);
    }
  }
  return std::nullopt;
}

}  // namespace plumb
