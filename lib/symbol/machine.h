// Registers by DWARF's numbers, of the machine that plumb is built for: it unwinds its own kind of code only.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>

namespace plumb {

#if defined(__aarch64__)

// DWARF for the Arm 64-bit Architecture, 4.1. x0 to x30, then sp; the program counter has no number and stands behind.
inline constexpr std::size_t kFramePointer = 29, kLink = 30, kStackPointer = 31, kReturn = 32,
                             kUnwindRegisters = 33;
// Where call-frame information keeps the return address.
inline constexpr std::size_t kReturnColumn = kLink;
// AAPCS64, 6.1.1: x19 to x29 are the caller's. The link register is so as long as no call was made: the rules tell.
inline constexpr std::uint64_t kCalleeSaved = ((std::uint64_t{1} << 11) - 1) << 19 | std::uint64_t{1}
                                                                                         << kLink;
inline constexpr std::uint16_t kMachine = EM_AARCH64;
inline constexpr std::uint32_t kRelative = R_AARCH64_RELATIVE;
// A return address may be signed in the bits above an address's (pointer authentication). A process has addresses of
// more than 48 bits only where it asks mmap() for them (Documentation/arch/arm64/memory.rst).
inline constexpr std::uint64_t kAddressBits = (std::uint64_t{1} << 48) - 1;

#else

// System V ABI AMD64 supplement, figure 3.36.
inline constexpr std::size_t kRbx = 3, kFramePointer = 6, kStackPointer = 7, kReturn = 16,
                             kUnwindRegisters = 17;
inline constexpr std::size_t kReturnColumn = kReturn;
// 3.2.1: what a function must keep for its caller.
inline constexpr std::uint64_t kCalleeSaved =
    1U << kRbx | 1U << kFramePointer | 1U << 12 | 1U << 13 | 1U << 14 | 1U << 15;
inline constexpr std::uint16_t kMachine = EM_X86_64;
inline constexpr std::uint32_t kRelative = R_X86_64_RELATIVE;
inline constexpr std::uint64_t kAddressBits = ~std::uint64_t{0};

#endif

}  // namespace plumb
