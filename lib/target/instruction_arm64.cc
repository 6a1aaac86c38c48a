// Arm Architecture Reference Manual for A-profile (DDI 0487), C4.1: the instructions that branch.
#include <cstring>

#include "target/instruction.h"

namespace plumb {
namespace {

// The signed field of `bits` bits from bit `low` on, in words of four bytes.
std::int64_t distance(std::uint32_t word, unsigned low, unsigned bits) {
  const std::uint32_t field = word >> low & ((std::uint32_t{1} << bits) - 1);
  const std::int64_t sign = std::int64_t{1} << (bits - 1);
  return ((std::int64_t{field} ^ sign) - sign) * 4;
}

std::uint32_t word_at(std::span<const std::byte> code, std::size_t index) {
  std::uint32_t word = 0;
  std::memcpy(&word, code.data() + 4 * index, sizeof word);
  return word;
}

// adrp x16, page; ldr x17, [x16, offset]; add x16, x16, ...; br x17 (ELF for the Arm 64-bit Architecture, linkers'
// procedure linkage tables).
std::optional<Instruction> table_entry(std::span<const std::byte> code, std::uint64_t address) {
  constexpr std::uint32_t kJump = 0xd61f0220;
  if (code.size() < 16) return std::nullopt;
  const std::uint32_t adrp = word_at(code, 0), load = word_at(code, 1);
  if ((adrp & 0x9f00001f) != 0x90000010 || (load & 0xffc003ff) != 0xf9400211 || word_at(code, 3) != kJump)
    return std::nullopt;
  const std::uint32_t field = (adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3);
  const std::int64_t pages = (std::int64_t{field} ^ 0x10'0000) - 0x10'0000;
  const std::uint64_t slot = (address & ~std::uint64_t{0xfff}) + (static_cast<std::uint64_t>(pages) << 12) +
                             std::uint64_t{load >> 10 & 0xfff} * 8;
  return Instruction{16, Flow::jump_slot, static_cast<std::int64_t>(slot - address)};
}

Instruction by_register(std::uint32_t word) {
  switch (word >> 21 & 15) {
    case 0:
    case 8:
      return {4, Flow::jump_register, 0};
    case 2:
      return {4, Flow::returns, 0};
    case 4:
    case 5:
      return {4, Flow::stop, 0};  // eret, drps
    default:
      return {4, Flow::next, 0};
  }
}

}  // namespace

std::optional<Instruction> decode_arm64(std::span<const std::byte> code, std::uint64_t address) {
  if (code.size() < 4) return std::nullopt;
  const std::uint32_t word = word_at(code, 0);
  if ((word & 0x7c000000) == 0x14000000)
    return Instruction{4, word >> 31 != 0 ? Flow::call : Flow::jump, distance(word, 0, 26)};
  if ((word & 0xff000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
    return Instruction{4, Flow::branch, distance(word, 5, 19)};
  if ((word & 0x7e000000) == 0x36000000) return Instruction{4, Flow::branch, distance(word, 5, 14)};
  if ((word & 0xfe000000) == 0xd6000000) return by_register(word);
  if ((word & 0xffe0001f) == 0xd4200000 || word < 0x10000) return Instruction{4, Flow::stop, 0};  // brk, udf
  if (const auto entry = table_entry(code, address)) return entry;
  return Instruction{4, Flow::next, 0};
}

}  // namespace plumb
