#include "target/returns.h"

#include <doctest/doctest.h>

#include <map>

using namespace plumb;

#if defined(__x86_64__)

namespace {

// Code laid out by hand.
struct Code final : CodeSource {
  std::uint64_t base = 0x1000;
  std::vector<std::uint8_t> bytes;
  std::map<std::uint64_t, std::uint64_t> functions;  // address, size
  std::map<std::uint64_t, std::uint64_t> slots;

  explicit Code(std::vector<std::uint8_t> code) : bytes(std::move(code)) {}
  std::vector<std::byte> read(std::uint64_t address, std::size_t size) const override {
    if (address < base || address - base >= bytes.size()) return {};
    const auto all = std::as_bytes(std::span(bytes)).subspan(address - base);
    const auto part = all.first(std::min(size, all.size()));
    return {part.begin(), part.end()};
  }
  std::optional<CodeRange> function_at(std::uint64_t address) const override {
    const auto at = functions.find(address);
    return at == functions.end() ? std::nullopt : std::optional(CodeRange{address, at->second});
  }
  std::optional<std::uint64_t> slot_target(std::uint64_t slot) const override {
    const auto at = slots.find(slot);
    return at == slots.end() ? std::nullopt : std::optional(at->second);
  }
};

using Addresses = std::vector<std::uint64_t>;

Addresses returns(const Code& code, std::uint64_t size) {
  auto found = find_returns({code.base, size}, code);
  CAPTURE((found ? std::string() : found.error().why));
  REQUIRE(found.ok());
  return *found;
}

std::string refused(const Code& code, std::uint64_t size) {
  const auto found = find_returns({code.base, size}, code);
  REQUIRE_FALSE(found.ok());
  return found.error().why;
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("returns: all of a function's") {
  CHECK(returns(Code({0x55, 0x74, 0x02, 0x5d, 0xc3, 0x5d, 0xf3, 0xc3}), 8) == Addresses{0x1004, 0x1006});
}

TEST_CASE("returns: a jump that leaves is followed") {
  // 0x1000: jmp 0x1004 | nop... | 0x1004: je 0x1007; ret; 0x1007: ret
  CHECK(returns(Code({0xeb, 0x02, 0x90, 0x90, 0x74, 0x01, 0xc3, 0xc3}), 2) == Addresses{0x1006, 0x1007});
}

TEST_CASE("returns: cold code jumps out and back in") {
  // 0x1000: je 0x1004; pop; ret | 0x1004: nop; jmp 0x1002
  CHECK(returns(Code({0x74, 0x02, 0x5d, 0xc3, 0x90, 0xeb, 0xfb}), 4) == Addresses{0x1003});
}

TEST_CASE("returns: through the PLT into a function of known size, with a jump table") {
  // 0x1000: jmp 0x1002 | 0x1002: jmp *0x0(%rip), the slot at 0x1008 | 0x1008: jmp *%rax; ret; ret
  Code code({0xeb, 0x00, 0xff, 0x25, 0x00, 0x00, 0x00, 0x00, 0xff, 0xe0, 0xc3, 0xc3});
  CHECK(says(refused(code, 2), "another library"));
  code.slots[0x1008] = 0x1008;
  CHECK(says(refused(code, 2), "through a register"));  // without its size only what is reached is known
  code.functions[0x1008] = 4;
  CHECK(returns(code, 2) == Addresses{0x100a, 0x100b});
}

TEST_CASE("returns: refused where a probe could be written into data, or a return be missed") {
  CHECK(says(refused(Code({0xc3}), 0), "size"));
  CHECK(says(refused(Code({0xc3}), 1 << 20), "size"));
  CHECK(says(refused(Code({0xc3}), 2), "no code"));
  CHECK(says(refused(Code({0x06, 0xc3}), 2), "no instruction"));
  CHECK(says(refused(Code({0x48}), 1), "no instruction"));
  CHECK(says(refused(Code({0x90, 0x0f, 0x0b}), 3), "no return"));
  // A jump into the middle of mov $0xc3,%eax.
  CHECK(says(refused(Code({0x74, 0x01, 0xb8, 0xc3, 0x00, 0x00, 0x00, 0xc3}), 8), "in the middle"));
  CHECK(says(refused(Code({0x74, 0x10, 0xc3}), 3), "no code"));
  CHECK(says(refused(Code({0xff, 0x60, 0x18}), 3), "through a pointer"));
  CHECK(says(refused(Code(std::vector<std::uint8_t>(100, 0xc3)), 100), "too many"));
}
#endif

#if defined(__aarch64__)
namespace {

struct Words final : CodeSource {
  explicit Words(std::vector<std::uint32_t> w) : words(std::move(w)) {}
  std::vector<std::byte> read(std::uint64_t address, std::size_t size) const override {
    const auto all = std::as_bytes(std::span(words));
    if (address < 0x1000 || address - 0x1000 >= all.size()) return {};
    const auto rest = all.subspan(address - 0x1000);
    const auto part = rest.first(std::min(size, rest.size()));
    return {part.begin(), part.end()};
  }
  std::optional<CodeRange> function_at(std::uint64_t) const override { return std::nullopt; }
  std::optional<std::uint64_t> slot_target(std::uint64_t slot) const override {
    return slot == 0x6018 ? std::optional<std::uint64_t>(0x1018) : std::nullopt;
  }
  std::vector<std::uint32_t> words;
};

}  // namespace

TEST_CASE("returns: of arm64 code, and where a jump leaves it") {
  // cbz x0, +8; ret; b +8 (behind the function); then nop; ret
  const Words code({0xb4000040, 0xd65f03c0, 0x14000002, 0xd503201f, 0xd65f03c0});
  CHECK(*find_returns({0x1000, 12}, code) == std::vector<std::uint64_t>{0x1004, 0x1010});
}

TEST_CASE("returns: of arm64 code that ends in an entry of the linkage table") {
  // b +8 (over the end); ret; adrp x16, 5 pages on; ldr x17, [x16, #24]; add; br x17
  const Words code({0x14000002, 0xd65f03c0, 0xb0000030, 0xf9400e11, 0x91006210, 0xd61f0220, 0xd65f03c0});
  CHECK_FALSE(find_returns({0x1000, 4}, Words({0x14000001, 0xd61f0220})).ok());  // through a register
  CHECK(*find_returns({0x1000, 4}, code) == std::vector<std::uint64_t>{0x1018});
}
#endif
