#include "symbol/cfi.h"

#include <elf.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "symbol/bytes_reader.h"
#include "symbol/cfi_program.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxFunctions = std::size_t{1} << 22;
constexpr std::size_t kRecent = 512;  // addresses: 8 KB
constexpr std::uint32_t kNoRule = std::numeric_limits<std::uint32_t>::max();

}  // namespace

UnwindTable UnwindTable::of(const ElfFile& file) {
  if (file.machine() != kMachine) return {};
  if (const ElfSection* s = file.section(".eh_frame"); s != nullptr && s->size > 8) {
    CfiIndex index;
    if (const ElfSection* i = file.section(".eh_frame_hdr"); i != nullptr)
      index = {file.contents(*i), i->address};
    SectionBytes bytes =
        (s->flags & SHF_COMPRESSED) == 0 ? SectionBytes(file.bytes(), *s) : SectionBytes(file.contents(*s));
    if (UnwindTable table(std::move(bytes), s->address, file.low_address(), false, index); !table.empty())
      return table;
  }
  if (const ElfSection* s = file.section(".debug_frame"); s != nullptr)
    return {file.contents(*s), s->address, file.low_address(), true};
  return {};
}

UnwindTable::UnwindTable(SectionBytes section, std::uint64_t address, std::uint64_t base, bool debug_frame,
                         const CfiIndex& index)
    : section_(std::move(section)), address_(address), base_(base), debug_frame_(debug_frame) {
  if (section_.size() > std::numeric_limits<std::uint32_t>::max()) section_ = {};
  if (!take_index(index)) {
    functions_.clear();
    scan();
  }
  if (!std::ranges::is_sorted(functions_, {}, &Function::start))
    std::ranges::stable_sort(functions_, {}, &Function::start);
  functions_.shrink_to_fit();
}

// False: it lies where no code is.
bool UnwindTable::add_function(std::uint64_t start, std::size_t fde) {
  if (start < base_ || start - base_ >= std::numeric_limits<std::uint32_t>::max()) return false;
  functions_.push_back({static_cast<std::uint32_t>(start - base_), static_cast<std::uint32_t>(fde)});
  return true;
}

void UnwindTable::scan() {
  section_.fetch(0, section_.size());
  const CfiSection section = this->section();
  for (std::size_t at = 0; at < section_.size() && functions_.size() < kMaxFunctions;) {
    const auto entry = cfi_entry_at(section, at);
    if (!entry) break;
    if (entry->is_fde) {
      if (const auto fde = cfi_fde_at(section, at); fde && fde->size != 0) add_function(fde->start, at);
    }
    at = entry->next;
  }
}

// LSB 10.6.2, as all linkers write it: version 1, the section's address from the field itself, a count of 32 bits, pairs of 32
// bits from the index's own address. False: it is another one, or damaged, or leads elsewhere.
bool UnwindTable::take_index(const CfiIndex& index) {
  constexpr std::uint32_t kUsual = 0x3b'03'1b'01;
  BytesReader reader(index.bytes);
  if (reader.take<std::uint32_t>() != kUsual || section_.empty()) return false;
  const std::uint64_t section =
      index.address + 4 + static_cast<std::uint64_t>(std::int64_t{reader.take<std::int32_t>()});
  const std::uint64_t count = reader.take<std::uint32_t>();
  if (section != address_ || count == 0 || count > kMaxFunctions || reader.left() / 8 < count) return false;
  functions_.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t start =
        index.address + static_cast<std::uint64_t>(std::int64_t{reader.take<std::int32_t>()});
    const std::uint64_t fde =
        index.address + static_cast<std::uint64_t>(std::int64_t{reader.take<std::int32_t>()});
    if (fde < address_ || fde - address_ >= section_.size()) return false;
    if (!add_function(start, static_cast<std::size_t>(fde - address_))) return false;
  }
  return true;
}

const UnwindTable::Function* UnwindTable::function_before(std::uint64_t address) const {
  if (address < base_ || address - base_ >= std::numeric_limits<std::uint32_t>::max()) return nullptr;
  const auto wanted = static_cast<std::uint32_t>(address - base_);
  const auto after = std::ranges::upper_bound(functions_, wanted, {}, &Function::start);
  return after == functions_.begin() ? nullptr : &*std::prev(after);
}

// An entry is its length, in 4 bytes or behind a mark in 8, and so many bytes. The first of them count back to the CIE.
std::optional<std::size_t> UnwindTable::fetch_entry(std::size_t offset) const {
  constexpr std::size_t kHead = 16;
  section_.fetch(offset, kHead);
  BytesReader reader(section_.all(), offset);
  std::uint64_t length = reader.take<std::uint32_t>();
  if (length == std::numeric_limits<std::uint32_t>::max()) length = reader.take<std::uint64_t>();
  if (!reader.ok()) return std::nullopt;
  section_.fetch(reader.position(), static_cast<std::size_t>(length));
  const std::size_t id_at = reader.position();
  const auto id = reader.take<std::uint32_t>();
  if (!reader.ok() || id == 0 || id > id_at) return std::nullopt;
  return id_at - id;
}

std::optional<CfiFde> UnwindTable::fde_at(std::size_t offset) const {
  if (!debug_frame_) {
    if (const auto cie = fetch_entry(offset)) fetch_entry(*cie);
  }
  return cfi_fde_at(section(), offset);
}

// The index may name an FDE of another function, or none.
const UnwindTable::Rows& UnwindTable::rows_of(const Function& function) {
  static constexpr Rows kNone{0, 0, 0};
  if (const auto made = made_.find(function.fde); made != made_.end()) return made->second;
  const auto first = static_cast<std::uint32_t>(rows_.size());
  const auto fde = fde_at(function.fde);
  if (!fde || fde->start != base_ + function.start)
    return kNone;  // not kept: another entry may name the right one
  CfiProgram(*this, *fde).run();
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return made_[function.fde] = {first, static_cast<std::uint32_t>(rows_.size()) - first,
                                static_cast<std::uint32_t>(std::min(fde->size, kMost))};
}

std::uint32_t UnwindTable::rule_at(std::uint64_t address) {
  const Function* function = function_before(address);
  if (function == nullptr) return kNoRule;
  const Rows& place = rows_of(*function);
  const auto offset = static_cast<std::uint32_t>(address - base_) - function->start;
  if (offset >= place.size) return kNoRule;
  const auto rows = std::span(rows_).subspan(place.first, place.count);
  const auto after = std::ranges::upper_bound(rows, offset, {}, &Row::start);
  return after == rows.begin() ? kNoRule : std::prev(after)->rule;
}

std::optional<UnwindRule> UnwindTable::find(std::uint64_t address) {
  if (functions_.empty()) return std::nullopt;
  if (recent_.empty()) recent_.resize(kRecent, {0, kNoRule});
  Recent& recent = recent_[address % kRecent];
  if (recent.address != address || recent.rule == kNoRule) recent = {address, rule_at(address)};
  if (recent.rule == kNoRule) return std::nullopt;
  const KeptRule& kept = rules_[recent.rule];
  return UnwindRule{kept.cfa, kept.cfa_register, kept.signal_frame, kept.cfa_offset,
                    std::span(registers_).subspan(kept.first, kept.count)};
}

std::optional<std::uint64_t> UnwindTable::function_start(std::uint64_t address) const {
  const Function* function = function_before(address);
  if (function == nullptr) return std::nullopt;
  const auto fde = fde_at(function->fde);
  if (!fde || fde->start != base_ + function->start || address - fde->start >= fde->size) return std::nullopt;
  return fde->start;
}

std::span<const std::byte> UnwindTable::expression(std::int32_t number) const {
  if (number < 0 || static_cast<std::size_t>(number) >= expressions_.size()) return {};
  const Bytes& bytes = expressions_[static_cast<std::size_t>(number)];
  return section_.all().subspan(bytes.offset, bytes.size);
}

}  // namespace plumb
