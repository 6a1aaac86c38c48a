// The length of an x86-64 instruction is the sum of its parts:
//
//   legacy prefixes | REX, VEX, EVEX or XOP | opcode (1 to 3 bytes) | ModRM | SIB | displacement | immediate
//
// Which parts follow depends on the opcode alone, but for two groups (F6, F7) and for what the operand-size prefix
// does to immediates. So two tables of 256 entries tell it, one for one-byte opcodes and one for those behind 0F;
// the maps 0F38 and 0F3A and what VEX, EVEX and XOP choose are regular. Source: Intel SDM volume 2, appendix A and
// chapter 2; AMD APM volume 3, appendix A (XOP, 3DNow!, SSE4A).
#include "target/instruction.h"

#include <array>

namespace plumb {
namespace {

// What follows the opcode.
enum Shape : std::uint8_t {
  kNone = 0,       // nothing
  kModRm = 1,      // ModRM, with SIB and displacement as it says
  kImm8 = 2,       // one byte
  kImmZ = 4,       // four bytes, two with the operand-size prefix
  kImm16 = 8,      // two bytes
  kImmV = 16,      // as kImmZ, eight with REX.W (mov of a constant)
  kOffset = 32,    // an address: eight bytes, four with the address-size prefix
  kRel32 = 64,     // four bytes whatever the prefixes say, as Intel's processors do in 64-bit mode
  kInvalid = 128,  // no instruction in 64-bit mode, or a prefix that is handled before
};

using Table = std::array<std::uint8_t, 256>;

constexpr void fill(Table& t, unsigned from, unsigned to, unsigned shape) {
  for (unsigned i = from; i <= to; ++i) t[i] = static_cast<std::uint8_t>(shape);
}

constexpr Table one_byte_table() {
  Table t{};
  for (unsigned base = 0; base < 0x40; base += 8) {  // add, or, adc, sbb, and, sub, xor, cmp
    fill(t, base, base + 3, kModRm);
    t[base + 4] = kImm8;
    t[base + 5] = kImmZ;
    fill(t, base + 6, base + 7, kInvalid);  // push and pop of segments, BCD; prefixes and 0F
  }
  fill(t, 0x40, 0x4f, kInvalid);  // REX
  fill(t, 0x60, 0x62, kInvalid);
  t[0x63] = kModRm;
  fill(t, 0x64, 0x67, kInvalid);
  t[0x68] = kImmZ;
  t[0x69] = kModRm | kImmZ;
  t[0x6a] = kImm8;
  t[0x6b] = kModRm | kImm8;
  fill(t, 0x70, 0x7f, kImm8);
  fill(t, 0x80, 0x8f, kModRm);
  t[0x80] = t[0x83] = kModRm | kImm8;
  t[0x81] = kModRm | kImmZ;
  t[0x82] = kInvalid;
  t[0x9a] = kInvalid;
  fill(t, 0xa0, 0xa3, kOffset);
  t[0xa8] = kImm8;
  t[0xa9] = kImmZ;
  fill(t, 0xb0, 0xb7, kImm8);
  fill(t, 0xb8, 0xbf, kImmV);
  fill(t, 0xc0, 0xc1, kModRm | kImm8);
  t[0xc2] = t[0xca] = kImm16;
  fill(t, 0xc4, 0xc5, kInvalid);  // VEX
  t[0xc6] = kModRm | kImm8;
  t[0xc7] = kModRm | kImmZ;
  t[0xc8] = kImm16 | kImm8;
  t[0xcd] = kImm8;
  t[0xce] = kInvalid;
  fill(t, 0xd0, 0xd3, kModRm);
  fill(t, 0xd4, 0xd6, kInvalid);
  fill(t, 0xd8, 0xdf, kModRm);
  fill(t, 0xe0, 0xe7, kImm8);
  fill(t, 0xe8, 0xe9, kRel32);
  t[0xea] = kInvalid;
  t[0xeb] = kImm8;
  t[0xf0] = t[0xf2] = t[0xf3] = kInvalid;
  fill(t, 0xf6, 0xf7, kModRm);  // the immediate depends on ModRM
  fill(t, 0xfe, 0xff, kModRm);
  return t;
}

constexpr Table two_byte_table() {
  Table t{};
  fill(t, 0x00, 0xff, kModRm);
  for (const unsigned op : {0x04, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27, 0x36, 0x38, 0x39, 0x3a, 0x3b, 0x3c,
                            0x3d, 0x3e, 0x3f, 0x7a, 0x7b})
    t[op] = kInvalid;
  for (const unsigned op : {0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0e, 0x30, 0x31, 0x32, 0x33,
                            0x34, 0x35, 0x37, 0x77, 0xa0, 0xa1, 0xa2, 0xa8, 0xa9, 0xaa})
    t[op] = kNone;
  for (const unsigned op : {0x0f, 0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6})
    t[op] = kModRm | kImm8;
  fill(t, 0x80, 0x8f, kRel32);
  fill(t, 0xc8, 0xcf, kNone);  // bswap
  return t;
}

constexpr Table kOneByte = one_byte_table();
constexpr Table kTwoByte = two_byte_table();

// An instruction is never longer (Intel SDM volume 2, 2.3.11).
constexpr std::size_t kLongest = 15;

struct Prefixes {
  bool operand_size = false;  // 66
  bool address_size = false;  // 67
  bool repne = false;         // F2
  bool rex_w = false;
};

class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> code) : code_(code.first(std::min(code.size(), kLongest))) {}

  std::optional<Instruction> decode() {
    if (!prefixes()) return std::nullopt;
    const auto first = take();
    if (!first) return std::nullopt;
    switch (*first) {
      case 0x0f:
        return escape();
      case 0xc4:
        return vex(3);
      case 0xc5:
        return vex(2);
      case 0x62:
        return evex();
      case 0x8f:
        if ((peek() & 0x1f) >= 8) return xop();
        break;
      default:
        break;
    }
    if (!operands(group_shape(*first, kOneByte[*first]))) return std::nullopt;
    return finish(flow_of(*first));
  }

 private:
  std::optional<std::uint8_t> take() {
    if (at_ >= code_.size()) return std::nullopt;
    return std::to_integer<std::uint8_t>(code_[at_++]);
  }
  // The next byte; 0 at the end, where taking it fails later.
  std::uint8_t peek() const { return at_ < code_.size() ? std::to_integer<std::uint8_t>(code_[at_]) : 0; }
  bool skip(std::size_t n) {
    if (code_.size() - at_ < n) return false;
    at_ += n;
    return true;
  }

  // REX counts only right before the opcode: a legacy prefix behind it makes it void.
  bool prefixes() {
    while (at_ < code_.size()) {
      const std::uint8_t b = peek();
      const bool rex = (b & 0xf0) == 0x40;
      switch (b) {
        case 0x66:
          p_.operand_size = true;
          break;
        case 0x67:
          p_.address_size = true;
          break;
        case 0xf2:
          p_.repne = true;
          break;
        case 0xf0:
        case 0xf3:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x26:
        case 0x64:
        case 0x65:
          break;
        default:
          if (!rex) return true;
      }
      p_.rex_w = rex && (b & 8) != 0;
      ++at_;
    }
    return false;
  }

  std::optional<Instruction> escape() {
    const auto op = take();
    if (!op) return std::nullopt;
    if (*op == 0x38 || *op == 0x3a) {
      if (!take() || !operands(*op == 0x38 ? kModRm : kModRm | kImm8)) return std::nullopt;
      return finish(Flow::next);
    }
    unsigned shape = kTwoByte[*op];
    // extrq and insertq of SSE4A carry two immediate bytes; without prefix 0F 78 is vmread.
    if (*op == 0x78 && (p_.operand_size || p_.repne)) shape = kModRm | kImm16;
    if (!operands(shape)) return std::nullopt;
    if (*op >= 0x80 && *op <= 0x8f) return finish(Flow::branch);
    return finish(*op == 0x0b || *op == 0xb9 || *op == 0xff ? Flow::stop : Flow::next);
  }

  std::optional<Instruction> vex(int length) {
    const auto second = take();
    if (!second) return std::nullopt;
    unsigned map = 1;
    if (length == 3) {
      map = *second & 0x1f;
      if (!take()) return std::nullopt;
    }
    return mapped(map);
  }

  std::optional<Instruction> evex() {
    const auto first = take();
    if (!first || !skip(2)) return std::nullopt;
    return mapped(*first & 7);
  }

  // VEX and EVEX: map 1 to 3 as 0F, 0F38, 0F3A; 5 and 6 (FP16) as 0F without immediates.
  std::optional<Instruction> mapped(unsigned map) {
    const auto op = take();
    if (!op) return std::nullopt;
    unsigned shape = kModRm;
    if (map == 1) shape = kTwoByte[*op] & (kModRm | kImm8 | kInvalid);
    if (map == 3) shape = kModRm | kImm8;
    if (map == 0 || map == 4 || map > 6 || !operands(shape)) return std::nullopt;
    return finish(Flow::next);
  }

  std::optional<Instruction> xop() {
    const unsigned map = peek() & 0x1f;
    if (!skip(2) || !take()) return std::nullopt;
    const unsigned shape = map == 8    ? kModRm | kImm8
                           : map == 9  ? kModRm
                           : map == 10 ? kModRm | kRel32
                                       : kInvalid;
    if (!operands(shape)) return std::nullopt;
    return finish(Flow::next);
  }

  // test, the one of its group that has an immediate.
  unsigned group_shape(std::uint8_t op, unsigned shape) const {
    if ((op == 0xf6 || op == 0xf7) && (peek() >> 3 & 7) < 2) shape |= op == 0xf6 ? kImm8 : kImmZ;
    return shape;
  }

  bool modrm() {
    const auto byte = take();
    if (!byte) return false;
    modrm_ = *byte;
    const unsigned mod = *byte >> 6;
    const unsigned rm = *byte & 7;
    if (mod == 3) return true;
    unsigned base = rm;
    if (rm == 4) {
      const auto sib = take();
      if (!sib) return false;
      indexed_ = (*sib >> 3 & 7) != 4 && (*sib & 7) == 5 && mod == 0;
      base = *sib & 7;
    }
    if (mod == 1) return skip(1);
    return mod == 2 || base == 5 ? skip(4) : true;
  }

  bool operands(unsigned shape) {
    if ((shape & kInvalid) != 0) return false;
    if ((shape & kModRm) != 0 && !modrm()) return false;
    if ((shape & kOffset) != 0 && !skip(p_.address_size ? 4 : 8)) return false;
    immediate_ = at_;
    if ((shape & kImm16) != 0 && !skip(2)) return false;
    if ((shape & kImm8) != 0 && !skip(1)) return false;
    if ((shape & kRel32) != 0 && !skip(4)) return false;
    const std::size_t z = p_.operand_size && !p_.rex_w ? 2 : 4;
    if ((shape & kImmZ) != 0 && !skip(z)) return false;
    return (shape & kImmV) == 0 || skip(p_.rex_w ? 8 : z);
  }

  Flow flow_of(std::uint8_t op) const {
    if ((op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3)) return Flow::branch;
    switch (op) {
      case 0xc2:
      case 0xc3:
        return Flow::returns;
      case 0xe8:
        return Flow::call;
      case 0xe9:
      case 0xeb:
        return Flow::jump;
      case 0xf4:
        return Flow::stop;
      case 0xff:
        break;
      default:
        return Flow::next;
    }
    const unsigned operation = modrm_ >> 3 & 7;
    if (operation != 4 && operation != 5) return Flow::next;
    if (modrm_ >> 6 == 3 || indexed_) return Flow::jump_register;
    return operation == 4 && (modrm_ & 0xc7) == 0x05 ? Flow::jump_slot : Flow::jump_memory;
  }

  std::optional<Instruction> finish(Flow flow) const {
    Instruction out{static_cast<std::uint8_t>(at_), flow};
    if (flow == Flow::jump || flow == Flow::branch || flow == Flow::call || flow == Flow::jump_slot)
      out.target = static_cast<std::int64_t>(at_) + relative();
    return out;
  }

  // What the instruction ends with, an immediate of one or four bytes or a displacement of four, with its sign.
  std::int64_t relative() const {
    const std::size_t size = at_ == immediate_ ? 4 : at_ - immediate_;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value |= std::to_integer<std::uint32_t>(code_[at_ - size + i]) << 8 * i;
    }
    return size == 1 ? static_cast<std::int8_t>(value) : static_cast<std::int32_t>(value);
  }

  std::span<const std::byte> code_;
  std::size_t at_ = 0;
  Prefixes p_;
  std::uint8_t modrm_ = 0;
  bool indexed_ = false;       // jmp *table(,%reg,8)
  std::size_t immediate_ = 0;  // where it starts
};

}  // namespace

std::optional<Instruction> decode_x86_64(std::span<const std::byte> code) {
  return Decoder(code).decode();
}

}  // namespace plumb
