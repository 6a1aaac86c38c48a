// Call-frame information: how a function's caller is found from its registers and its stack.
//
// Distributions compile without frame pointers. What is left to unwind by is .eh_frame, which exceptions need
// anyway: for each function (FDE) a program that builds a table of rows "from this address on, the caller's
// stack pointer (the canonical frame address, CFA) is rsp + n, and these registers were saved at CFA - k".
//
// A capture of ten seconds meets a thousand functions out of a hundred thousand. So reading a file finds only
// where each FDE begins, by the linker's sorted index of them (.eh_frame_hdr) or else one after the other; a function's
// rows are made when its first sample comes, and kept: 8 bytes a row (offset of the address, number of the rule), looked
// up by binary search, and the last addresses' rules once more by the address alone. The rules are few (a file has some
// hundred different ones) and kept once. Nothing is approximated: CFA expressions (PLT, realigned stacks,
// signal frames, hand-written assembly) are kept as they are and evaluated.
//
// Sources: System V ABI AMD64 supplement 3.7 and 4.2; DWARF for the Arm 64-bit Architecture; DWARF 5, 6.4; LSB 10.6
// (.eh_frame). Of the machine that plumb is built for (machine.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "symbol/cfi_entry.h"
#include "symbol/elf.h"
#include "symbol/machine.h"
#include "symbol/section_bytes.h"

namespace plumb {

enum class CfaKind : std::uint8_t {
  unsupported,      // a form or a register that this does not know
  register_offset,  // register + offset
  expression,       // offset is the number of an expression
};

enum class RegisterKind : std::uint8_t {
  same,           // not touched by this function
  undefined,      // lost. Of the return address: there is no caller
  at_offset,      // saved at CFA + value
  is_offset,      // is CFA + value
  at_expression,  // saved at the address that expression `value` gives
  is_expression,  // is what expression `value` gives
  in_register,    // moved to register `value`
};

struct RegisterRule {
  std::uint8_t reg;
  RegisterKind kind;
  std::int32_t value;
  friend bool operator==(const RegisterRule&, const RegisterRule&) = default;
};

struct UnwindRule {
  CfaKind cfa = CfaKind::unsupported;
  std::uint8_t cfa_register = 0;
  bool signal_frame = false;  // the frame below was interrupted: its address is no return address
  std::int32_t cfa_offset = 0;
  std::span<const RegisterRule>
      registers;  // all others: same; the stack pointer is the CFA. Valid as long as the table
};

// .eh_frame_hdr: the linker's index of .eh_frame.
struct CfiIndex {
  std::vector<std::byte> bytes;
  std::uint64_t address = 0;  // where it is loaded
};

class UnwindTable {
 public:
  // From .eh_frame, or .debug_frame where there is none. Without either: empty(). The file's bytes outlive the table,
  // which reads of them what it is asked about.
  static UnwindTable of(const ElfFile& file);
  // The same from a section's bytes; `address`: where it is loaded, `base`: the lowest address of the code.
  UnwindTable(std::vector<std::byte> section, std::uint64_t address, std::uint64_t base, bool debug_frame,
              const CfiIndex& index = {})
      : UnwindTable(SectionBytes(std::move(section)), address, base, debug_frame, index) {}
  UnwindTable() = default;

  bool empty() const { return functions_.empty(); }
  std::size_t functions() const { return functions_.size(); }

  // The rule that holds at an address (of the file, not of the process); nothing when no function has it.
  // Not const: a function's first address makes its rows.
  std::optional<UnwindRule> find(std::uint64_t address);
  // Where the function (the FDE) with this address begins.
  std::optional<std::uint64_t> function_start(std::uint64_t address) const;
  // The bytes of expression `number`.
  std::span<const std::byte> expression(std::int32_t number) const;

 private:
  struct Function {
    std::uint32_t start;  // from base_
    std::uint32_t fde;    // offset of the FDE's first byte in section_
  };
  struct Row {
    std::uint32_t start;
    std::uint32_t rule;
  };
  struct Rows {
    std::uint32_t first, count;
    std::uint32_t size;  // of the function's code
  };
  struct Recent {
    std::uint64_t address;
    std::uint32_t rule;
  };
  struct KeptRule {
    CfaKind cfa;
    std::uint8_t cfa_register;
    bool signal_frame;
    std::int32_t cfa_offset;
    std::uint32_t first, count;
  };
  struct Bytes {
    std::uint32_t offset, size;
  };
  friend class CfiProgram;

  UnwindTable(SectionBytes section, std::uint64_t address, std::uint64_t base, bool debug_frame,
              const CfiIndex& index);
  void scan();
  bool take_index(const CfiIndex& index);
  bool add_function(std::uint64_t start, std::size_t fde);
  // The last one that begins at or before the address; it may end before it, too.
  const Function* function_before(std::uint64_t address) const;
  std::uint32_t rule_at(std::uint64_t address);
  const Rows& rows_of(const Function& function);

  CfiSection section() const { return {section_.all(), address_, debug_frame_}; }
  // The FDE at `offset`; nothing when it is damaged.
  std::optional<CfiFde> fde_at(std::size_t offset) const;
  // Reads the entry there, and tells where its CIE is if it is an FDE of .eh_frame.
  std::optional<std::size_t> fetch_entry(std::size_t offset) const;

  mutable SectionBytes section_;  // mutable: what was not read yet is no other table
  std::uint64_t address_ = 0;
  std::uint64_t base_ = 0;
  bool debug_frame_ = false;
  std::vector<Function> functions_;               // sorted by start
  std::unordered_map<std::uint32_t, Rows> made_;  // by FDE
  std::vector<Row> rows_;
  std::vector<KeptRule> rules_;
  std::unordered_multimap<std::size_t, std::uint32_t> rule_ids_;  // hash -> index in rules_
  std::vector<RegisterRule> registers_;
  std::vector<Bytes> expressions_;
  std::vector<Recent> recent_;  // by the address's low bits
};

}  // namespace plumb
