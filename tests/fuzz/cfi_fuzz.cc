// Call-frame information of any bytes, and stacks walked by it: bounded, and never outside the copied stack. The first
// byte says how the rest is divided.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "symbol/unwind.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Finder final : plumb::CodeFinder {
  explicit Finder(plumb::UnwindTable t) : table(std::move(t)) {}
  std::optional<plumb::CodeAt> find(std::uint64_t address) override {
    if (address > 0x100000) return std::nullopt;
    return plumb::CodeAt{&table, nullptr, 0};
  }
  plumb::UnwindTable table;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool debug_frame = (data[0] & 1) != 0;
  const std::size_t split = 2 + (size - 2) * data[1] / 256;
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> section(bytes.begin() + 2, bytes.begin() + static_cast<std::ptrdiff_t>(split));
  const auto stack = bytes.subspan(split);
  Finder code(plumb::UnwindTable(section, 0x2000, 0, debug_frame));
  plumb::Registers registers;
  for (std::size_t i = 0; i < plumb::kUnwindRegisters; ++i) registers.set(i, 0x7000 + 8 * i);
  for (std::uint64_t ip = 0; ip < 0x4000; ip += 0x400) {
    registers.set(plumb::kReturn, ip + data[0]);
    registers.set(plumb::kStackPointer, 0x7000);
    plumb::Unwound out;
    plumb::unwind(registers, {0x7000, stack, (data[0] & 2) != 0}, code, 32, out);
    require(!out.addresses.empty() && out.addresses.size() <= 32);
  }
  plumb::evaluate(stack, registers, {0x7000, stack, false}, 7);
  return 0;
}
