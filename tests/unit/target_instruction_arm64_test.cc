#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "target/instruction.h"

using namespace plumb;

namespace {

std::vector<std::byte> code(const std::vector<std::uint32_t>& words) {
  std::vector<std::byte> out(4 * words.size());
  std::memcpy(out.data(), words.data(), out.size());
  return out;
}

Instruction decoded(std::uint32_t word) {
  const auto instruction = decode_arm64(code({word}), 0x1000);
  REQUIRE(instruction);
  CHECK(instruction->length == 4);
  return *instruction;
}

}  // namespace

TEST_CASE("arm64 instruction: where it leads") {
  CHECK(decoded(0xd65f03c0).flow == Flow::returns);        // ret
  CHECK(decoded(0xd65f0bff).flow == Flow::returns);        // retaa
  CHECK(decoded(0xd61f0220).flow == Flow::jump_register);  // br x17
  CHECK(decoded(0xd61f087f).flow == Flow::jump_register);  // braaz x3
  CHECK(decoded(0xd63f0060).flow == Flow::next);           // blr x3
  CHECK(decoded(0xd4200020).flow == Flow::stop);           // brk #1
  CHECK(decoded(0).flow == Flow::stop);                    // udf #0
  CHECK(decoded(0xd69f03e0).flow == Flow::stop);           // eret
  CHECK(decoded(0xa9bf7bfd).flow == Flow::next);           // stp x29, x30, [sp, #-16]!
}

TEST_CASE("arm64 instruction: targets of branches") {
  const auto leads = [](std::uint32_t word, Flow flow, std::int64_t target) {
    const Instruction i = decoded(word);
    CHECK(i.flow == flow);
    CHECK(i.target == target);
  };
  leads(0x17fffffe, Flow::jump, -8);     // b
  leads(0x97fffffa, Flow::call, -24);    // bl
  leads(0x54ffffa0, Flow::branch, -12);  // b.eq
  leads(0xb4ffff80, Flow::branch, -16);  // cbz x0
  leads(0x372fff63, Flow::branch, -20);  // tbnz w3, #5
  leads(0x14000002, Flow::jump, 8);      // b
}

TEST_CASE("arm64 instruction: an entry of a procedure linkage table leads where its slot says") {
  // adrp x16, 5 pages on; ldr x17, [x16, #24]; add x16, x16, #24; br x17
  const auto entry = decode_arm64(code({0xb0000030, 0xf9400e11, 0x91006210, 0xd61f0220}), 0x1234);
  REQUIRE(entry);
  CHECK(entry->length == 16);
  CHECK(entry->flow == Flow::jump_slot);
  CHECK(0x1234 + entry->target == 0x6018);
  CHECK(decode_arm64(code({0xb0000030, 0xf9400e11, 0x91006210}), 0)->length == 4);  // cut
  CHECK_FALSE(decode_arm64(std::vector<std::byte>(3), 0));
}
