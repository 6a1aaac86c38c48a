#include "target/instruction.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace plumb;

namespace {

std::vector<std::byte> bytes(std::string_view hex) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += hex[i + 2 < hex.size() ? i + 2 : i] == ' ' ? 3 : 2)
    out.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

// The length with other bytes behind it; 0: refused.
int length(std::string_view hex) {
  auto code = bytes(hex);
  code.resize(code.size() + 15, std::byte{0x90});
  const auto decoded = decode_x86_64(code);
  return decoded ? decoded->length : 0;
}

Flow flow(std::string_view hex) {
  const auto decoded = decode_x86_64(bytes(hex));
  REQUIRE(decoded);
  return decoded->flow;
}

}  // namespace

TEST_CASE("instruction: lengths") {
  // Each line is one whole instruction, from an assembler. tests/instructions compares millions.
  for (const std::string_view whole : {"90",
                                       "55",
                                       "48 89 e5",
                                       "f3 0f 1e fa",
                                       "48 83 ec 08",
                                       "48 81 ec 00 01 00 00",
                                       "66 81 c1 34 12",
                                       "66 48 81 c1 34 12 00 00",
                                       "b8 01 00 00 00",
                                       "66 b8 01 00",
                                       "48 b8 01 02 03 04 05 06 07 08",
                                       "a1 01 02 03 04 05 06 07 08",
                                       "67 a1 01 02 03 04",
                                       "8b 04 25 00 00 00 00",
                                       "8b 44 24 08",
                                       "8b 84 24 00 01 00 00",
                                       "8b 05 00 00 00 00",
                                       "8b 45 fc",
                                       "8b 80 00 01 00 00",
                                       "f6 c1 01",
                                       "f6 d1",
                                       "f7 c1 00 00 00 00",
                                       "66 f7 c1 00 00",
                                       "f7 d9",
                                       "c8 10 00 00",
                                       "0f 85 00 00 00 00",
                                       "0f c8",
                                       "0f a2",
                                       "0f ba e0 05",
                                       "0f 70 c0 00",
                                       "66 0f 3a 0f c1 08",
                                       "66 0f 38 00 c1",
                                       "c5 f8 77",
                                       "c5 f9 6f 00",
                                       "c4 e2 79 18 00",
                                       "c4 e3 79 0f c1 08",
                                       "c4 e3 fd 00 c0 d8",
                                       "62 f1 fd 48 6f 00",
                                       "62 f1 7c 48 10 40 01",
                                       "62 f3 fd 48 25 c0 ff",
                                       "62 f2 7d 48 18 00",
                                       "8f e8 78 c2 c1 10",
                                       "8f e9 78 01 c8",
                                       "66 66 48 e8 00 00 00 00",
                                       "c6 00 01",
                                       "c7 00 00 00 00 00",
                                       "66 c7 00 00 00",
                                       "e3 00",
                                       "eb 00",
                                       "e9 00 00 00 00",
                                       "c3",
                                       "c2 08 00",
                                       "f3 c3",
                                       "f2 c3",
                                       "0f 0b",
                                       "f4",
                                       "cc",
                                       "64 48 8b 04 25 28 00 00 00",
                                       "3e ff e0",
                                       "66 0f 1f 84 00 00 00 00 00",
                                       "66 66 2e 0f 1f 84 00 00 00 00 00",
                                       "f2 0f 78 c1 01 02",
                                       "0f 0f c1 b4",
                                       "48 0f c7 0e"}) {
    CAPTURE(whole);
    CHECK(length(whole) == static_cast<int>(bytes(whole).size()));
    for (std::size_t cut = 0; cut < bytes(whole).size(); ++cut) {
      auto part = bytes(whole);
      part.resize(cut);
      CHECK_FALSE(decode_x86_64(part));
    }
  }
}

TEST_CASE("instruction: what is none") {
  for (const std::string_view none : {"06", "27", "60", "82 00 00", "9a", "d4", "d5 00 90", "d6", "ea",
                                      "0f 04", "0f 24 00", "62 f0 fd 48 6f 00", "c4 e0 79 18 00"}) {
    CAPTURE(none);
    CHECK(length(none) == 0);
  }
  // Longer than 15 bytes.
  CHECK(length("66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90") == 0);
  CHECK(length("66 66 66 66 66 66 66 66 66 66 66 66 66 66 90") == 15);
}

TEST_CASE("instruction: where it leads") {
  CHECK(flow("c3") == Flow::returns);
  CHECK(flow("f3 c3") == Flow::returns);
  CHECK(flow("c2 08 00") == Flow::returns);
  CHECK(flow("ff e0") == Flow::jump_register);
  CHECK(flow("ff 24 c5 00 00 00 00") == Flow::jump_register);  // jmp *table(,%rax,8)
  CHECK(flow("ff 60 18") == Flow::jump_memory);
  CHECK(flow("ff 24 25 00 00 00 00") == Flow::jump_memory);
  CHECK(flow("ff 10") == Flow::next);  // call *(%rax)
  CHECK(flow("0f 0b") == Flow::stop);
  const auto target = [](std::string_view hex) { return decode_x86_64(bytes(hex))->target; };
  CHECK(flow("eb fe") == Flow::jump);
  CHECK(target("eb fe") == 0);
  CHECK(target("e9 00 01 00 00") == 0x105);
  CHECK(target("e9 fb ff ff ff") == 0);
  CHECK(flow("0f 84 10 00 00 00") == Flow::branch);
  CHECK(target("0f 84 10 00 00 00") == 0x16);
  CHECK(target("74 80") == -126);
  CHECK(flow("e8 00 00 00 00") == Flow::call);
  CHECK(flow("ff 25 10 00 00 00") == Flow::jump_slot);
  CHECK(target("ff 25 10 00 00 00") == 0x16);
  CHECK(target("f2 ff 25 f9 ff ff ff") == 0);
}
