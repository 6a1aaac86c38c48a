#include "symbol/unwind.h"

#include "symbol/go_table.h"

namespace plumb {
namespace {

class Unwinder {
 public:
  Unwinder(const Registers& sample, const StackCopy& stack, CodeFinder& code)
      : now_(sample), stack_(stack), code_(code) {}

  // Goes to the caller. False: end() says why there is none.
  bool step();
  std::uint64_t address() const { return now_.value[kReturn] - (exact_ ? 0 : 1); }
  std::uint64_t stack_pointer() const { return now_.has(kStackPointer) ? now_.value[kStackPointer] : 0; }
  UnwindEnd end() const { return end_; }

 private:
  bool stop(UnwindEnd why) {
    end_ = why;
    return false;
  }
  bool lost_memory(std::uint64_t address) {
    const bool behind = address >= stack_.base && address - stack_.base + 8 > stack_.bytes.size();
    return stop(behind && stack_.cut ? UnwindEnd::cut : UnwindEnd::no_memory);
  }
  bool by_cfi(const UnwindRule& rule, const UnwindTable& table);
  std::optional<std::uint64_t> cfa_of(const UnwindRule& rule, const UnwindTable& table) const;
  bool restore(const RegisterRule& rule, std::uint64_t cfa, const UnwindTable& table, Registers& caller);
  bool by_go(const GoTable& table, std::uint64_t address);
  bool by_frame_pointer();
#if defined(__aarch64__)
  bool is_link_current();
  bool by_link();
  bool by_signal_frame();
#endif
  bool arrive(Registers caller, bool exact);

  Registers now_;
  const StackCopy& stack_;
  CodeFinder& code_;
  bool exact_ = true;  // the address is that of an instruction that runs, not one that is returned to
  UnwindEnd end_ = UnwindEnd::no_rule;
};

std::optional<std::uint64_t> Unwinder::cfa_of(const UnwindRule& rule, const UnwindTable& table) const {
  switch (rule.cfa) {
    case CfaKind::register_offset:
      if (!now_.has(rule.cfa_register)) return std::nullopt;
      return now_.value[rule.cfa_register] + static_cast<std::uint64_t>(std::int64_t{rule.cfa_offset});
    case CfaKind::expression:
      return evaluate(table.expression(rule.cfa_offset), now_, stack_, std::nullopt);
    case CfaKind::unsupported:
      break;
  }
  return std::nullopt;
}

bool Unwinder::restore(const RegisterRule& rule, std::uint64_t cfa, const UnwindTable& table,
                       Registers& caller) {
  const auto offset = static_cast<std::uint64_t>(std::int64_t{rule.value});
  std::optional<std::uint64_t> value;
  std::optional<std::uint64_t> place;
  switch (rule.kind) {
    case RegisterKind::same:
      return true;
    case RegisterKind::undefined:
      break;
    case RegisterKind::at_offset:
      place = cfa + offset;
      break;
    case RegisterKind::is_offset:
      value = cfa + offset;
      break;
    case RegisterKind::at_expression:
      place = evaluate(table.expression(rule.value), now_, stack_, cfa);
      break;
    case RegisterKind::is_expression:
      value = evaluate(table.expression(rule.value), now_, stack_, cfa);
      break;
    case RegisterKind::in_register:
      if (now_.has(static_cast<std::size_t>(rule.value)))
        value = now_.value[static_cast<std::size_t>(rule.value)];
      break;
  }
  if (place) value = stack_.read(*place);
  if (value) {
    caller.set(rule.reg, *value);
    return true;
  }
  caller.forget(rule.reg);
  if (rule.reg != kReturnColumn) return true;
  return place ? lost_memory(*place) : stop(UnwindEnd::no_rule);
}

bool Unwinder::by_cfi(const UnwindRule& rule, const UnwindTable& table) {
  for (const RegisterRule& r : rule.registers) {
    if (r.reg == kReturnColumn && r.kind == RegisterKind::undefined) return stop(UnwindEnd::root);
  }
  const auto cfa = cfa_of(rule, table);
  if (!cfa) {
    // Behind a frame that was left by its frame pointer; arm64's compilers keep it where they count from the stack
    // pointer.
    const bool lost = rule.cfa == CfaKind::register_offset && rule.cfa_register == kStackPointer;
    return lost ? by_frame_pointer() : stop(UnwindEnd::no_rule);
  }
  Registers caller = now_;
  if (!rule.signal_frame) caller.known &= kCalleeSaved;
  if (kReturnColumn == kReturn) caller.forget(kReturn);
  caller.set(kStackPointer, *cfa);
  for (const RegisterRule& r : rule.registers) {
    if (!restore(r, *cfa, table, caller)) return false;
  }
  if (!caller.has(kReturnColumn)) return stop(UnwindEnd::no_rule);
  const bool leaf =
      kReturnColumn != kReturn && exact_;  // may have no frame at all: its return address is in a register
  if (kReturnColumn != kReturn) {
    caller.set(kReturn, caller.value[kReturnColumn]);
    caller.forget(kReturnColumn);  // the call that led here overwrote it
  }
  // A signal may have been taken on another stack.
  if (!rule.signal_frame && caller.value[kStackPointer] <= now_.value[kStackPointer] &&
      !(leaf && caller.value[kStackPointer] == now_.value[kStackPointer])) {
    return stop(UnwindEnd::no_progress);
  }
  return arrive(caller, rule.signal_frame);
}

// The frame pointer is saved right below the return address by every function that has a frame
// (src/cmd/internal/obj/x86/obj6.go, preprocess).
bool Unwinder::by_go(const GoTable& table, std::uint64_t address) {
  const auto function = table.find(address);
  if (function && function->root) return stop(UnwindEnd::root);
  const auto moved = table.stack_moved(address);
  if (!moved) return by_frame_pointer();
  const std::uint64_t sp = now_.value[kStackPointer];
#if defined(__aarch64__)
  // The link register is saved at the bottom of the frame and the frame pointer right below it
  // (src/cmd/internal/obj/arm64/obj7.go, preprocess); without a frame both are where they were.
  const bool frame = *moved != 0;
  const std::uint64_t next = sp + static_cast<std::uint64_t>(*moved), place = sp, saved_pointer = sp - 8;
#else
  const bool frame = *moved >= 8;
  const std::uint64_t place = sp + static_cast<std::uint64_t>(*moved), next = place + 8,
                      saved_pointer = place - 8;
#endif
  std::optional<std::uint64_t> return_address;
  if (!frame && kReturnColumn != kReturn) {
    if (!now_.has(kReturnColumn)) return stop(UnwindEnd::no_rule);
    return_address = now_.value[kReturnColumn];
  } else {
    return_address = stack_.read(place);
    if (!return_address) return lost_memory(place);
  }
  Registers caller = now_;
  caller.known = 0;
  if (frame) {
    // On arm64 it may lie below the stack pointer, outside of what was copied; then it still is in its register.
    if (const auto saved = stack_.read(saved_pointer)) caller.set(kFramePointer, *saved);
  } else if (now_.has(kFramePointer)) {
    caller.set(kFramePointer, now_.value[kFramePointer]);
  }
  caller.set(kReturn, *return_address);
  caller.set(kStackPointer, next);
  return arrive(caller, false);
}

bool Unwinder::by_frame_pointer() {
  if (!now_.has(kFramePointer)) return stop(UnwindEnd::no_rule);
  const std::uint64_t frame = now_.value[kFramePointer];
  if (frame == 0) return stop(UnwindEnd::root);  // psABI 3.4.1: marks the deepest frame
  if (frame < now_.value[kStackPointer] || frame % 8 != 0) return stop(UnwindEnd::no_rule);
  const auto saved = stack_.read(frame);
  const auto return_address = stack_.read(frame + 8);
  if (!saved || !return_address) return lost_memory(frame + 8);
  Registers caller = now_;
  caller.known = 0;
  caller.set(kFramePointer, *saved);
  caller.set(kReturn, *return_address);
  caller.set(kStackPointer, frame + 16);
#if defined(__aarch64__)
  caller.forget(
      kStackPointer);  // the record may lie anywhere in its frame (AAPCS64, 6.4.6): this is a lower bound
#endif
  return arrive(caller, false);
}

#if defined(__aarch64__)

// Linkers write no call-frame information for the entries of procedure linkage tables on arm64, which leave the link
// register and the stack pointer as they are. Code without rules that keeps a frame record (V8's in node) has the link
// register there, or, after a call, an address of its own in it.
bool Unwinder::is_link_current() {
  if (!exact_ || !now_.has(kLink)) return false;
  if (now_.has(kFramePointer)) {
    const auto saved = stack_.read(now_.value[kFramePointer] + 8);
    if (saved && *saved == now_.value[kLink]) return false;
  }
  const std::uint64_t link = (now_.value[kLink] & kAddressBits) - 1;
  const auto code = code_.find(link);
  return code && code->cfi != nullptr && code->cfi->find(link - code->bias);
}

bool Unwinder::by_link() {
  Registers caller = now_;
  caller.known &= kCalleeSaved;
  caller.set(kStackPointer, now_.value[kStackPointer]);
  caller.set(kReturn, now_.value[kLink]);
  caller.forget(kLink);
  return arrive(caller, false);
}

// Where a signal handler returns to (__kernel_rt_sigreturn, arch/arm64/kernel/vdso/sigreturn.S) has no call-frame
// information, on purpose. At the stack pointer lies a struct rt_sigframe: struct siginfo, struct ucontext, and in its
// struct sigcontext the interrupted registers; what follows them begins with a mark (asm/sigcontext.h).
bool Unwinder::by_signal_frame() {
  constexpr std::uint64_t kRegisters = 312, kReserved = 592;
  constexpr std::uint32_t kFpsimdMagic = 0x46508001, kFpsimdSize = 528;
  if (exact_ || !now_.has(kStackPointer)) return false;
  const std::uint64_t sp = now_.value[kStackPointer];
  if (stack_.read(sp + kReserved) != (std::uint64_t{kFpsimdSize} << 32 | kFpsimdMagic)) return false;
  Registers interrupted;
  for (std::size_t i = 0; i < kUnwindRegisters; ++i) {  // x0 to x30, sp, pc
    const auto value = stack_.read(sp + kRegisters + 8 * i);
    if (!value) return false;
    interrupted.set(i, *value);
  }
  return arrive(interrupted, true);
}

#endif

bool Unwinder::arrive(Registers caller, bool exact) {
  caller.value[kReturn] &= kAddressBits;
  if (caller.value[kReturn] == 0) return stop(UnwindEnd::root);
  now_ = caller;
  exact_ = exact;
  return true;
}

bool Unwinder::step() {
  const auto code = code_.find(address());
  if (!code) return stop(UnwindEnd::no_code);
  const std::uint64_t in_file = address() - code->bias;
  if (code->cfi != nullptr) {
    if (const auto rule = code->cfi->find(in_file)) return by_cfi(*rule, *code->cfi);
  }
#if defined(__aarch64__)
  if (by_signal_frame()) return true;
#endif
  if (code->go != nullptr && !code->go->empty()) return by_go(*code->go, in_file);
#if defined(__aarch64__)
  if (is_link_current()) return by_link();
#endif
  return by_frame_pointer();
}

}  // namespace

void unwind(const Registers& sample, const StackCopy& stack, CodeFinder& code, std::size_t depth,
            Unwound& out) {
  out.addresses.clear();
  out.stack_pointers.clear();
  out.end = UnwindEnd::no_rule;
  if (!sample.has(kReturn) || !sample.has(kStackPointer)) return;
  Unwinder unwinder(sample, stack, code);
  while (true) {
    if (out.addresses.size() == depth) {
      out.end = UnwindEnd::too_deep;
      return;
    }
    out.addresses.push_back(unwinder.address());
    out.stack_pointers.push_back(unwinder.stack_pointer());
    if (!unwinder.step()) break;
  }
  out.end = unwinder.end();
  // A return address in nothing is no frame.
  if (out.end == UnwindEnd::no_code && out.addresses.size() > 1) {
    out.addresses.pop_back();
    out.stack_pointers.pop_back();
  }
}

}  // namespace plumb
