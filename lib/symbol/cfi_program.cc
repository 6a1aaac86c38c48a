#include "symbol/cfi_program.h"

#include <algorithm>
#include <limits>

namespace plumb {
namespace {

constexpr std::size_t kMaxRemembered = 64;
// Real ones have tens of bytes; each function runs its CIE's again.
constexpr std::size_t kMaxCieBytes = 4'096;
constexpr std::size_t kMaxFdeBytes = std::size_t{1} << 20;

// DWARF 5, table 7.29, and the vendors' own.
enum : std::uint8_t {
  kAdvance = 0x40,
  kOffset = 0x80,
  kRestore = 0xc0,
  kNop = 0x00,
  kSetLocation = 0x01,
  kAdvance1 = 0x02,
  kAdvance2 = 0x03,
  kAdvance4 = 0x04,
  kOffsetExtended = 0x05,
  kRestoreExtended = 0x06,
  kUndefined = 0x07,
  kSameValue = 0x08,
  kRegister = 0x09,
  kRememberState = 0x0a,
  kRestoreState = 0x0b,
  kDefineCfa = 0x0c,
  kDefineCfaRegister = 0x0d,
  kDefineCfaOffset = 0x0e,
  kDefineCfaExpression = 0x0f,
  kExpression = 0x10,
  kOffsetExtendedSigned = 0x11,
  kDefineCfaSigned = 0x12,
  kDefineCfaOffsetSigned = 0x13,
  kValueOffset = 0x14,
  kValueOffsetSigned = 0x15,
  kValueExpression = 0x16,
  kArmNegateSigned =
      0x2d,  // DWARF for the Arm 64-bit Architecture: from here on the return address is signed, or no more
  kGnuArgumentsSize = 0x2e,
  kGnuNegativeOffset = 0x2f,
};

bool fits(std::int64_t value) {
  return value >= std::numeric_limits<std::int32_t>::min() &&
         value <= std::numeric_limits<std::int32_t>::max();
}

std::int64_t scaled(std::uint64_t value, std::int64_t factor) {
  return static_cast<std::int64_t>(value * static_cast<std::uint64_t>(factor));
}

}  // namespace

void CfiProgram::set_cfa(std::uint64_t reg, std::int64_t offset) {
  const bool known = reg < kUnwindRegisters && fits(offset);
  state_.cfa = known ? CfaKind::register_offset : CfaKind::unsupported;
  state_.cfa_register = known ? static_cast<std::uint8_t>(reg) : std::uint8_t{0};
  state_.cfa_offset = known ? static_cast<std::int32_t>(offset) : 0;
}

// Registers beyond those of integers (vectors, flags) say nothing about callers.
void CfiProgram::set(std::uint64_t reg, RegisterKind kind, std::int64_t value) {
  if (reg >= kUnwindRegisters) return;
  state_.registers[reg] =
      fits(value) ? Register{kind, static_cast<std::int32_t>(value)} : Register{RegisterKind::undefined, 0};
}

std::int32_t CfiProgram::keep_expression(BytesReader& reader) {
  const auto bytes = reader.take_bytes(reader.take_uleb());
  const auto offset = static_cast<std::size_t>(bytes.data() - table_.section_.all().data());
  const UnwindTable::Bytes kept{bytes.empty() ? 0 : static_cast<std::uint32_t>(offset),
                                static_cast<std::uint32_t>(bytes.size())};
  // Functions share expressions (each realigned stack has the same two), but not their bytes.
  for (std::size_t i = 0; i < std::min<std::size_t>(table_.expressions_.size(), 64); ++i) {
    if (std::ranges::equal(table_.expression(static_cast<std::int32_t>(i)), bytes))
      return static_cast<std::int32_t>(i);
  }
  table_.expressions_.push_back(kept);
  return static_cast<std::int32_t>(table_.expressions_.size() - 1);
}

void CfiProgram::restore(std::uint64_t reg) {
  if (reg < kUnwindRegisters) state_.registers[reg] = initial_.registers[reg];
}

bool CfiProgram::advance(std::uint64_t delta) {
  const std::uint64_t moved = delta * fde_.cie.code_align;
  if (moved == 0) return true;
  emit_row();
  if (moved >= fde_.size || at_ >= fde_.size - moved) return false;
  at_ += moved;
  return true;
}

bool CfiProgram::define_cfa(std::uint8_t operation, BytesReader& reader) {
  const std::int64_t align = fde_.cie.data_align;
  const bool plain = state_.cfa == CfaKind::register_offset;
  const std::uint64_t kept = plain ? state_.cfa_register : kUnwindRegisters;
  switch (operation) {
    case kDefineCfa: {
      const std::uint64_t reg = reader.take_uleb();
      set_cfa(reg, static_cast<std::int64_t>(reader.take_uleb()));
      return true;
    }
    case kDefineCfaSigned: {
      const std::uint64_t reg = reader.take_uleb();
      set_cfa(reg, scaled(static_cast<std::uint64_t>(reader.take_sleb()), align));
      return true;
    }
    case kDefineCfaRegister:
      set_cfa(plain ? reader.take_uleb() : kUnwindRegisters, state_.cfa_offset);
      return plain;
    case kDefineCfaOffset:
      set_cfa(kept, static_cast<std::int64_t>(reader.take_uleb()));
      return true;
    case kDefineCfaOffsetSigned:
      set_cfa(kept, scaled(static_cast<std::uint64_t>(reader.take_sleb()), align));
      return true;
    case kDefineCfaExpression:
      state_.cfa_offset = keep_expression(reader);
      state_.cfa_register = 0;
      state_.cfa = CfaKind::expression;
      return true;
    default:
      return false;
  }
}

bool CfiProgram::define_register(std::uint8_t operation, BytesReader& reader) {
  const std::int64_t align = fde_.cie.data_align;
  const std::uint64_t reg = reader.take_uleb();
  switch (operation) {
    case kOffsetExtended:
      set(reg, RegisterKind::at_offset, scaled(reader.take_uleb(), align));
      return true;
    case kOffsetExtendedSigned:
      set(reg, RegisterKind::at_offset, scaled(static_cast<std::uint64_t>(reader.take_sleb()), align));
      return true;
    case kGnuNegativeOffset:
      set(reg, RegisterKind::at_offset, -scaled(reader.take_uleb() & 0xffff'ffff, align));
      return true;
    case kRestoreExtended:
      restore(reg);
      return true;
    case kUndefined:
      set(reg, RegisterKind::undefined, 0);
      return true;
    case kSameValue:
      set(reg, RegisterKind::same, 0);
      return true;
    case kRegister: {
      const std::uint64_t other = reader.take_uleb();
      const bool known = other < kUnwindRegisters;
      set(reg, known ? RegisterKind::in_register : RegisterKind::undefined,
          known ? static_cast<std::int64_t>(other) : 0);
      return true;
    }
    case kValueOffset:
      set(reg, RegisterKind::is_offset, scaled(reader.take_uleb(), align));
      return true;
    case kValueOffsetSigned:
      set(reg, RegisterKind::is_offset, scaled(static_cast<std::uint64_t>(reader.take_sleb()), align));
      return true;
    case kExpression:
      set(reg, RegisterKind::at_expression, keep_expression(reader));
      return true;
    case kValueExpression:
      set(reg, RegisterKind::is_expression, keep_expression(reader));
      return true;
    default:
      return false;
  }
}

// The operations that name no register first. False: the program ends here, for good or ill.
bool CfiProgram::simple(std::uint8_t operation, BytesReader& reader) {
  switch (operation) {
    case kNop:
    case kArmNegateSigned:  // the bits of a signature are stripped from each address, signed or not
      return true;
    case kAdvance1:
      return advance(reader.take<std::uint8_t>());
    case kAdvance2:
      return advance(reader.take<std::uint16_t>());
    case kAdvance4:
      return advance(reader.take<std::uint32_t>());
    case kGnuArgumentsSize:
      reader.take_uleb();
      return true;
    case kRememberState:
      if (remembered_.size() >= kMaxRemembered) return false;
      remembered_.push_back(state_);
      return true;
    case kRestoreState:
      if (remembered_.empty()) return false;
      state_ = remembered_.back();
      remembered_.pop_back();
      return true;
    case kSetLocation:
      return false;  // no compiler for these machines writes it
    case kDefineCfa:
    case kDefineCfaSigned:
    case kDefineCfaRegister:
    case kDefineCfaOffset:
    case kDefineCfaOffsetSigned:
    case kDefineCfaExpression:
      return define_cfa(operation, reader);
    default:
      return define_register(operation, reader);
  }
}

bool CfiProgram::execute(std::span<const std::byte> program, bool rows) {
  BytesReader reader(program);
  while (!reader.at_end()) {
    const auto operation = reader.take<std::uint8_t>();
    const std::uint8_t low = operation & 0x3f;
    bool going = true;
    switch (operation & 0xc0) {
      case kAdvance:
        going = rows && advance(low);
        break;
      case kOffset:
        set(low, RegisterKind::at_offset, scaled(reader.take_uleb(), fde_.cie.data_align));
        break;
      case kRestore:
        restore(low);
        break;
      default:
        going = simple(operation, reader);
    }
    if (!going || !reader.ok()) return false;
  }
  return true;
}

std::uint32_t CfiProgram::rule() {
  std::size_t hash = std::size_t{state_.cfa_register} << 8 | static_cast<std::size_t>(state_.cfa);
  const auto mix = [&](std::size_t value) { hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15ULL; };
  mix(static_cast<std::uint32_t>(state_.cfa_offset));
  mix(fde_.cie.signal_frame ? 1 : 0);
  std::array<RegisterRule, kUnwindRegisters> listed;
  std::size_t count = 0;
  for (std::size_t r = 0; r < kUnwindRegisters; ++r) {
    const Register& rule = state_.registers[r];
    if (rule.kind == RegisterKind::same) continue;
    listed[count++] = {static_cast<std::uint8_t>(r), rule.kind, rule.value};
    mix(r << 40 | static_cast<std::size_t>(rule.kind) << 32 | static_cast<std::uint32_t>(rule.value));
  }
  const auto [begin, end] = table_.rule_ids_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const UnwindTable::KeptRule& kept = table_.rules_[it->second];
    const auto registers = std::span(table_.registers_).subspan(kept.first, kept.count);
    if (kept.cfa == state_.cfa && kept.cfa_register == state_.cfa_register &&
        kept.cfa_offset == state_.cfa_offset && kept.signal_frame == fde_.cie.signal_frame &&
        std::ranges::equal(registers, std::span(listed).first(count))) {
      return it->second;
    }
  }
  const auto id = static_cast<std::uint32_t>(table_.rules_.size());
  table_.rules_.push_back({state_.cfa, state_.cfa_register, fde_.cie.signal_frame, state_.cfa_offset,
                           static_cast<std::uint32_t>(table_.registers_.size()),
                           static_cast<std::uint32_t>(count)});
  table_.registers_.insert(table_.registers_.end(), listed.begin(),
                           listed.begin() + static_cast<std::ptrdiff_t>(count));
  table_.rule_ids_.emplace(hash, id);
  return id;
}

void CfiProgram::emit_row() {
  table_.rows_.push_back({static_cast<std::uint32_t>(at_), rule()});
}

void CfiProgram::run() {
  if (fde_.cie.return_register != kReturnColumn) return;  // not code of this machine
  if (fde_.cie.program.size() > kMaxCieBytes || fde_.program.size() > kMaxFdeBytes) return;
  if (!execute(fde_.cie.program, false)) return;
  initial_ = state_;
  // Of a damaged program the rows before the damage stand.
  if (execute(fde_.program, true)) emit_row();
}

}  // namespace plumb
