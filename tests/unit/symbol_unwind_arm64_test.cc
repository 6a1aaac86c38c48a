#include <doctest/doctest.h>

#include <cstring>
#include <initializer_list>
#include <vector>

#include "cfi_bytes.h"
#include "symbol/unwind.h"

using namespace plumb;

#if defined(__aarch64__)
namespace {

using namespace cfi_bytes;

// One CIE ("zR", absolute 4-byte addresses; instructions of 4 bytes; CFA = sp, return address in x30) and a function of
// 0x100 bytes at 0x1000 with this program.
UnwindTable table_of(std::initializer_list<unsigned> program) {
  Bytes out;
  put32(out, 0);
  put32(out, 0);
  put(out, {1, 'z', 'R', 0});
  put(out, {4, 0x78, 30, 1, 0x03});
  put(out, {0x0c, 31, 0});
  close_entry(out, 0);
  add_function(out, program);
  return {out, 0x10000, 0, false};
}

// What a compiler writes for stp x29, x30, [sp, #-32]!: from the second instruction on CFA = sp + 32, x29 at CFA - 32,
// x30 at CFA - 24.
constexpr auto kFrame = {0x41u, 0x0eu, 32u, 0x9du, 4u, 0x9eu, 3u};

struct Modules final : CodeFinder {
  explicit Modules(UnwindTable t) : table(std::move(t)) {}
  std::optional<CodeAt> find(std::uint64_t address) override {
    if (address >= 0x10000) return std::nullopt;
    return CodeAt{address < 0x2000 ? &table : nullptr, nullptr, 0};  // behind 0x2000 nothing has rules
  }
  UnwindTable table;
};

Unwound walk(UnwindTable table, const Registers& r, const std::vector<std::uint64_t>& words) {
  Modules code(std::move(table));
  Unwound out;
  unwind(r, {0x7000, std::as_bytes(std::span(words)), false}, code, 64, out);
  return out;
}

Registers at(std::uint64_t pc, std::uint64_t link) {
  Registers r;
  r.set(kReturn, pc);
  r.set(kStackPointer, 0x7000);
  r.set(kFramePointer, 0x7000);
  r.set(kLink, link);
  return r;
}

using Addresses = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("arm64: a function without a frame has its return address in x30, its caller on the stack") {
  const Unwound u = walk(table_of(kFrame), at(0x1000, 0x1045), {0x7020, 0x1085, 0, 0, 0, 0});
  CHECK(u.addresses == Addresses{0x1000, 0x1044, 0x1084});
}

TEST_CASE("arm64: x30 of a caller is not known, so that it is no return address") {
  // The caller 0x1001 is at the function's first instruction, where x30 would be.
  const Unwound u = walk(table_of(kFrame), at(0x1004, 0x1045), {0x7020, 0x1001, 0, 0, 0, 0});
  CHECK(u.addresses == Addresses{0x1004, 0x1000});
  CHECK(u.end == UnwindEnd::no_rule);
}

TEST_CASE("arm64: the bits of a signature are no address") {
  // From the second instruction on signed (DW_CFA_AARCH64_negate_ra_state).
  const Unwound u = walk(table_of({0x41, 0x2d, 0x0e, 32, 0x9d, 4, 0x9e, 3}), at(0x1004, 0),
                         {0x7020, 0x2b40'0000'0000'1045, 0, 0, 0x7040, 0x0031'0000'0000'1085, 0, 0});
  CHECK(u.addresses[1] == 0x1044);
  CHECK(u.addresses[2] == 0x1084);
}

TEST_CASE("arm64: the first function's return address is undefined") {
  CHECK(walk(table_of({0x07, 30}), at(0x1000, 0x1045), {}).end == UnwindEnd::root);
}

TEST_CASE("arm64: behind code without rules frame pointers are followed, also through code with rules") {
  const Unwound u = walk(table_of(kFrame), at(0x2000, 0), {0x7010, 0x1045, 0x7020, 0x1085, 0, 0x10a5, 0, 0});
  CHECK(u.addresses == Addresses{0x2000, 0x1044, 0x1084, 0x10a4});
  CHECK(u.end == UnwindEnd::root);  // x29 is 0
}

TEST_CASE("arm64: an entry of a procedure linkage table has no rules, and its return address in x30") {
  // Its caller, 0x1044, has the frame of 32 bytes at the stack pointer.
  const Unwound u = walk(table_of(kFrame), at(0x2000, 0x1045), {0, 0x1085, 0, 0, 0, 0x10a5, 0, 0});
  CHECK(u.addresses == Addresses{0x2000, 0x1044, 0x1084, 0x10a4});
}

TEST_CASE(
    "arm64: x30 of code without rules that keeps a frame record, or after a call of its own, is not used") {
  CHECK(walk(table_of(kFrame), at(0x2000, 0x1045), {0x7010, 0x1045, 0, 0x1085}).addresses ==
        Addresses{0x2000, 0x1044, 0x1084});
  CHECK(walk(table_of(kFrame), at(0x2000, 0x2045), {0x7010, 0x1045, 0, 0x1085}).addresses ==
        Addresses{0x2000, 0x1044, 0x1084});
}

TEST_CASE("arm64: below a signal handler's frame is what the signal interrupted") {
  std::vector<std::uint64_t> words(100);
  words[0] = 0x7020, words[1] = 0x2001;  // the handler's frame; it returns to 0x2001, which has no rules
  const std::size_t frame = 32 / 8;      // of the kernel, at 0x7020
  words[frame + 312 / 8 + kLink] = 0x1045;
  words[frame + 312 / 8 + kStackPointer] = 0x7300;
  words[frame + 312 / 8 + kReturn] = 0x1000;  // interrupted at its first instruction
  words[frame + 592 / 8] = 0x0210'4650'8001;
  words[0x300 / 8 + 1] = 0x1085;
  const Unwound u = walk(table_of(kFrame), at(0x1004, 0), words);
  REQUIRE(u.addresses.size() >= 4);
  CHECK(u.addresses == Addresses{0x1004, 0x2000, 0x1000, 0x1044, 0x1084});
}
#endif
