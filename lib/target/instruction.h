// How long an instruction of x86-64 or arm64 is, and whether it leads somewhere else. Nothing more is decoded: enough to
// walk a function from its first byte to its last and to find where it returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace plumb {

enum class Flow : std::uint8_t {
  next,           // goes on behind it
  returns,        // near return
  jump,           // to target, always
  branch,         // to target or behind it
  call,           // to target, and comes back
  jump_register,  // to what a register or a scaled table entry holds
  jump_slot,      // to what the memory at target holds (a PLT entry's jump through the GOT)
  jump_memory,    // to what some other place in memory holds
  stop,           // never goes on (ud2, hlt)
};

struct Instruction {
  std::uint8_t length = 0;  // 1 to 15, of arm64 4 or 16
  Flow flow = Flow::next;
  std::int64_t target = 0;  // of jump, branch, call, jump_slot: bytes from the start of this instruction
};

// The instruction at the front of `code`, in 64-bit mode. Nothing when the bytes are no instruction, one that this
// table does not know (as APX's REX2 prefix), or end within it.
std::optional<Instruction> decode_x86_64(std::span<const std::byte> code);

// The same for arm64, of code at `address`. An entry of a procedure linkage table is one instruction here: what its jump
// leads to stands in its first three words.
std::optional<Instruction> decode_arm64(std::span<const std::byte> code, std::uint64_t address);

// Of the machine that plumb is built for.
inline std::optional<Instruction> decode(std::span<const std::byte> code,
                                         [[maybe_unused]] std::uint64_t address) {
#if defined(__aarch64__)
  return decode_arm64(code, address);
#else
  return decode_x86_64(code);
#endif
}

}  // namespace plumb
