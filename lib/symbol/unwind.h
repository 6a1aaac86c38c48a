// From a sample's registers and the copied part of its stack to return addresses, without touching the process.
//
// Three ways to find a caller, tried in this order for each frame:
//  1. call-frame information of the file (cfi.h);
//  2. Go's own tables (go_table.h), whose binaries need no call-frame information to be debuggable;
//  3. the frame pointer, where neither covers the address: code that a JIT made, and V8's and others' own
//     assembly, keep it.
// A frame that none explains ends the stack, and why it ended is part of the answer: only a stack that reaches
// the thread's first function (its return address is undefined by the call-frame information) is `rooted`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "symbol/cfi.h"

namespace plumb {

class GoTable;

struct Registers {
  std::array<std::uint64_t, kUnwindRegisters>
      value{};              // by DWARF's numbers; [kReturn] is the program counter
  std::uint64_t known = 0;  // bit N: value[N] is known

  bool has(std::size_t reg) const { return reg < kUnwindRegisters && (known >> reg & 1) != 0; }
  void set(std::size_t reg, std::uint64_t v) {
    value[reg] = v;
    known |= std::uint64_t{1} << reg;
  }
  void forget(std::size_t reg) { known &= ~(std::uint64_t{1} << reg); }
};

// A copy of memory from `base` on.
struct StackCopy {
  std::uint64_t base = 0;
  std::span<const std::byte> bytes;
  bool cut = false;  // the stack goes on behind what was copied

  std::optional<std::uint64_t> read(std::uint64_t address) const {
    if (address < base || address - base > bytes.size() || bytes.size() - (address - base) < 8)
      return std::nullopt;
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + (address - base), sizeof value);
    return value;
  }
};

// What lies at an address of the process.
struct CodeAt {
  UnwindTable* cfi = nullptr;
  const GoTable* go = nullptr;
  std::uint64_t bias = 0;  // address of the process minus address of the file
};

// The seam to mappings: what code is at an address; nothing where nothing executable is mapped.
class CodeFinder {
 public:
  virtual ~CodeFinder() = default;
  virtual std::optional<CodeAt> find(std::uint64_t address) = 0;
};

enum class UnwindEnd : std::uint8_t {
  root,         // the thread's first function
  cut,          // it needs more of the stack than was copied
  too_deep,     // more frames than asked for
  no_rule,      // nothing says how to find the caller
  no_code,      // the return address is in nothing executable
  no_memory,    // the rule reads where no stack is
  no_progress,  // the caller's frame would lie below its callee's
};

struct Unwound {
  // Innermost first. Of callers: the return address minus one, which is inside the call instruction.
  std::vector<std::uint64_t> addresses;
  // Of each of them: where its part of the stack begins, which ends where the next one's begins; 0: unknown.
  std::vector<std::uint64_t> stack_pointers;
  UnwindEnd end = UnwindEnd::no_rule;
};

// Fills `out`, whose memory is used again.
void unwind(const Registers& sample, const StackCopy& stack, CodeFinder& code, std::size_t depth,
            Unwound& out);

// The value of a DWARF expression, with `initial` on its stack when there is one. Nothing: an operation that
// is not known, memory that was not copied, a register that is not known, or more than kMaxExpressionSteps.
inline constexpr std::size_t kMaxExpressionSteps = 256;
std::optional<std::uint64_t> evaluate(std::span<const std::byte> expression, const Registers& registers,
                                      const StackCopy& stack, std::optional<std::uint64_t> initial);

}  // namespace plumb
