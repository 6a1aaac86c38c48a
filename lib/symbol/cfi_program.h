// Runs the programs of a CIE and an FDE, which make the rows of one function (DWARF 5, 6.4.2).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "symbol/bytes_reader.h"
#include "symbol/cfi.h"
#include "symbol/cfi_entry.h"

namespace plumb {

class CfiProgram {
 public:
  CfiProgram(UnwindTable& table, const CfiFde& fde) : table_(table), fde_(fde) {}

  // Appends the function's rows to the table's.
  void run();

 private:
  struct Register {
    RegisterKind kind = RegisterKind::same;
    std::int32_t value = 0;
    friend bool operator==(const Register&, const Register&) = default;
  };
  struct State {
    CfaKind cfa = CfaKind::unsupported;
    std::uint8_t cfa_register = 0;
    std::int32_t cfa_offset = 0;
    std::array<Register, kUnwindRegisters> registers{};
  };

  bool execute(std::span<const std::byte> program, bool rows);
  bool simple(std::uint8_t operation, BytesReader& reader);
  bool define_cfa(std::uint8_t operation, BytesReader& reader);
  bool define_register(std::uint8_t operation, BytesReader& reader);
  void set_cfa(std::uint64_t reg, std::int64_t offset);
  void set(std::uint64_t reg, RegisterKind kind, std::int64_t value);
  std::int32_t keep_expression(BytesReader& reader);
  void restore(std::uint64_t reg);
  bool advance(std::uint64_t delta);
  void emit_row();
  std::uint32_t rule();

  UnwindTable& table_;
  const CfiFde& fde_;
  State state_, initial_;
  std::vector<State> remembered_;
  std::uint64_t at_ = 0;  // from the function's start
};

}  // namespace plumb
