#include "symbol/cfi.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "symbol/cfi_entry.h"
#include "symbol/cfi_program.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxFunctions = std::size_t{1} << 22;

}  // namespace

UnwindTable UnwindTable::of(const ElfFile& file) {
  if (file.machine() != kMachine) return {};
  if (const ElfSection* s = file.section(".eh_frame"); s != nullptr && s->size > 8) {
    if (UnwindTable table(file.contents(*s), s->address, file.low_address(), false); !table.empty())
      return table;
  }
  if (const ElfSection* s = file.section(".debug_frame"); s != nullptr)
    return {file.contents(*s), s->address, file.low_address(), true};
  return {};
}

UnwindTable::UnwindTable(std::vector<std::byte> section, std::uint64_t address, std::uint64_t base,
                         bool debug_frame)
    : section_(std::move(section)), address_(address), base_(base), debug_frame_(debug_frame) {
  if (section_.size() > std::numeric_limits<std::uint32_t>::max()) section_.clear();
  scan();
}

void UnwindTable::scan() {
  const CfiSection section{section_, address_, debug_frame_};
  for (std::size_t at = 0; at < section_.size() && functions_.size() < kMaxFunctions;) {
    const auto entry = cfi_entry_at(section, at);
    if (!entry) break;
    if (entry->is_fde) {
      const auto fde = cfi_fde_at(section, at);
      constexpr std::uint64_t kEnd = std::numeric_limits<std::uint32_t>::max();
      if (fde && fde->size != 0 && fde->start >= base_ && fde->start - base_ < kEnd &&
          fde->size < kEnd - (fde->start - base_)) {
        const auto start = static_cast<std::uint32_t>(fde->start - base_);
        functions_.push_back(
            {start, start + static_cast<std::uint32_t>(fde->size), static_cast<std::uint32_t>(at)});
      }
    }
    at = entry->next;
  }
  if (!std::ranges::is_sorted(functions_, {}, &Function::start))
    std::ranges::stable_sort(functions_, {}, &Function::start);
  functions_.shrink_to_fit();
}

const UnwindTable::Function* UnwindTable::function_at(std::uint64_t address) const {
  if (address < base_ || address - base_ >= std::numeric_limits<std::uint32_t>::max()) return nullptr;
  const auto wanted = static_cast<std::uint32_t>(address - base_);
  const auto after = std::ranges::upper_bound(functions_, wanted, {}, &Function::start);
  if (after == functions_.begin()) return nullptr;
  const Function& found = *std::prev(after);
  return wanted < found.end ? &found : nullptr;
}

const UnwindTable::Rows& UnwindTable::rows_of(const Function& function) {
  const auto [it, added] = made_.try_emplace(function.fde, Rows{0, 0});
  if (!added) return it->second;
  const auto first = static_cast<std::uint32_t>(rows_.size());
  if (const auto fde = cfi_fde_at({section_, address_, debug_frame_}, function.fde))
    CfiProgram(*this, *fde).run();
  it->second = {first, static_cast<std::uint32_t>(rows_.size()) - first};
  return it->second;
}

std::optional<UnwindRule> UnwindTable::find(std::uint64_t address) {
  const Function* function = function_at(address);
  if (function == nullptr) return std::nullopt;
  const Rows& place = rows_of(*function);
  const auto rows = std::span(rows_).subspan(place.first, place.count);
  const auto offset = static_cast<std::uint32_t>(address - base_) - function->start;
  const auto after = std::ranges::upper_bound(rows, offset, {}, &Row::start);
  if (after == rows.begin()) return std::nullopt;
  const KeptRule& kept = rules_[std::prev(after)->rule];
  return UnwindRule{kept.cfa, kept.cfa_register, kept.signal_frame, kept.cfa_offset,
                    std::span(registers_).subspan(kept.first, kept.count)};
}

std::optional<std::uint64_t> UnwindTable::function_start(std::uint64_t address) const {
  const Function* function = function_at(address);
  if (function == nullptr) return std::nullopt;
  return base_ + function->start;
}

std::span<const std::byte> UnwindTable::expression(std::int32_t number) const {
  if (number < 0 || static_cast<std::size_t>(number) >= expressions_.size()) return {};
  const Bytes& bytes = expressions_[static_cast<std::size_t>(number)];
  return std::span(section_).subspan(bytes.offset, bytes.size);
}

}  // namespace plumb
