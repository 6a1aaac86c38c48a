// The part of DWARF's expressions that call-frame information uses (DWARF 5, 2.5.1 and 6.4.2).
#include <array>

#include "symbol/bytes_reader.h"
#include "symbol/unwind.h"

namespace plumb {
namespace {

enum : std::uint8_t {
  kAddress = 0x03,
  kDeref = 0x06,
  kConst1u = 0x08,
  kConst1s = 0x09,
  kConst2u = 0x0a,
  kConst2s = 0x0b,
  kConst4u = 0x0c,
  kConst4s = 0x0d,
  kConst8u = 0x0e,
  kConst8s = 0x0f,
  kConstu = 0x10,
  kConsts = 0x11,
  kDup = 0x12,
  kDrop = 0x13,
  kOver = 0x14,
  kSwap = 0x16,
  kAnd = 0x1a,
  kMinus = 0x1c,
  kMul = 0x1e,
  kNegate = 0x1f,
  kNot = 0x20,
  kOr = 0x21,
  kPlus = 0x22,
  kPlusUconst = 0x23,
  kShl = 0x24,
  kShr = 0x25,
  kXor = 0x27,
  kEq = 0x29,
  kGe = 0x2a,
  kGt = 0x2b,
  kLe = 0x2c,
  kLt = 0x2d,
  kNe = 0x2e,
  kLit0 = 0x30,
  kLit31 = 0x4f,
  kBreg0 = 0x70,
  kBreg31 = 0x8f,
  kNop = 0x96,
};

class Evaluator {
 public:
  Evaluator(std::span<const std::byte> expression, const Registers& registers, const StackCopy& stack)
      : reader_(expression), registers_(registers), memory_(stack) {}

  std::optional<std::uint64_t> run(std::optional<std::uint64_t> initial) {
    if (initial) push(*initial);
    for (std::size_t step = 0; ok_ && !reader_.at_end(); ++step) {
      if (step == kMaxExpressionSteps) return std::nullopt;
      execute(reader_.take<std::uint8_t>());
    }
    if (!ok_ || !reader_.ok() || size_ == 0) return std::nullopt;
    return stack_[size_ - 1];
  }

 private:
  void push(std::uint64_t value) {
    if (size_ == stack_.size()) {
      ok_ = false;
      return;
    }
    stack_[size_++] = value;
  }
  std::uint64_t pop() {
    if (size_ == 0) {
      ok_ = false;
      return 0;
    }
    return stack_[--size_];
  }

  void execute(std::uint8_t operation) {
    if (operation >= kLit0 && operation <= kLit31) {
      push(operation - std::uint64_t{kLit0});
    } else if (operation >= kBreg0 && operation <= kBreg31) {
      const std::size_t reg = operation - std::size_t{kBreg0};
      const std::int64_t offset = reader_.take_sleb();
      ok_ = ok_ && registers_.has(reg);
      if (ok_) push(registers_.value[reg] + static_cast<std::uint64_t>(offset));
    } else if (!constant(operation) && !stack_operation(operation)) {
      binary(operation);
    }
  }

  bool constant(std::uint8_t operation) {
    const auto extended = [](std::int64_t v) { return static_cast<std::uint64_t>(v); };
    switch (operation) {
      case kAddress:
      case kConst8u:
      case kConst8s:
        push(reader_.take<std::uint64_t>());
        return true;
      case kConst1u:
        push(reader_.take<std::uint8_t>());
        return true;
      case kConst1s:
        push(extended(reader_.take<std::int8_t>()));
        return true;
      case kConst2u:
        push(reader_.take<std::uint16_t>());
        return true;
      case kConst2s:
        push(extended(reader_.take<std::int16_t>()));
        return true;
      case kConst4u:
        push(reader_.take<std::uint32_t>());
        return true;
      case kConst4s:
        push(extended(reader_.take<std::int32_t>()));
        return true;
      case kConstu:
        push(reader_.take_uleb());
        return true;
      case kConsts:
        push(extended(reader_.take_sleb()));
        return true;
      default:
        return false;
    }
  }

  bool stack_operation(std::uint8_t operation) {
    switch (operation) {
      case kNop:
        return true;
      case kDeref: {
        const auto value = memory_.read(pop());
        ok_ = ok_ && value.has_value();
        push(value.value_or(0));
        return true;
      }
      case kDup:
        push(size_ != 0 ? stack_[size_ - 1] : pop());
        return true;
      case kDrop:
        pop();
        return true;
      case kOver:
        push(size_ > 1 ? stack_[size_ - 2] : (ok_ = false, 0));
        return true;
      case kSwap: {
        const std::uint64_t top = pop();
        const std::uint64_t below = pop();
        push(top);
        push(below);
        return true;
      }
      case kPlusUconst:
        push(pop() + reader_.take_uleb());
        return true;
      case kNegate:
        push(0 - pop());
        return true;
      case kNot:
        push(~pop());
        return true;
      default:
        return false;
    }
  }

  void binary(std::uint8_t operation) {
    const std::uint64_t b = pop();
    const std::uint64_t a = pop();
    const auto sa = static_cast<std::int64_t>(a);
    const auto sb = static_cast<std::int64_t>(b);
    switch (operation) {
      case kAnd:
        push(a & b);
        break;
      case kOr:
        push(a | b);
        break;
      case kXor:
        push(a ^ b);
        break;
      case kPlus:
        push(a + b);
        break;
      case kMinus:
        push(a - b);
        break;
      case kMul:
        push(a * b);
        break;
      case kShl:
        push(b < 64 ? a << b : 0);
        break;
      case kShr:
        push(b < 64 ? a >> b : 0);
        break;
      case kEq:
        push(a == b ? 1 : 0);
        break;
      case kNe:
        push(a != b ? 1 : 0);
        break;
      case kGe:
        push(sa >= sb ? 1 : 0);
        break;
      case kGt:
        push(sa > sb ? 1 : 0);
        break;
      case kLe:
        push(sa <= sb ? 1 : 0);
        break;
      case kLt:
        push(sa < sb ? 1 : 0);
        break;
      default:
        ok_ = false;
    }
  }

  BytesReader reader_;
  const Registers& registers_;
  const StackCopy& memory_;
  std::array<std::uint64_t, 32> stack_{};
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace

std::optional<std::uint64_t> evaluate(std::span<const std::byte> expression, const Registers& registers,
                                      const StackCopy& stack, std::optional<std::uint64_t> initial) {
  return Evaluator(expression, registers, stack).run(initial);
}

}  // namespace plumb
