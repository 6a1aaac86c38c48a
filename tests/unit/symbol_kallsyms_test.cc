#include "symbol/kallsyms.h"

#include <doctest/doctest.h>

#include <string>

using namespace plumb;

namespace {

KernelSymbolTable table(std::string_view text, std::size_t piece = 1 << 16) {
  KernelSymbolTable t;
  for (std::size_t i = 0; i < text.size(); i += piece) t.feed(text.substr(i, piece));
  t.finish();
  return t;
}

constexpr std::string_view kText =
    "ffffffff81000000 T _stext\n"
    "ffffffff81000000 T _text\n"
    "ffffffff81002000 t nft_do_chain\t[nf_tables]\n"
    "ffffffff81001000 T kfree_skb\n"
    "ffffffff81001800 D some_data\n"
    "ffffffff81001900 W weak_one\n";

std::string location(const KernelSymbolTable& t, std::uint64_t address) {
  std::string out;
  append_location(out, address, t.find(address));
  return out;
}

}  // namespace

TEST_CASE("an address is a symbol and the offset in it") {
  const auto t = table(kText);
  CHECK(t.size() == 5);  // data is left out
  CHECK(location(t, 0xffffffff81002010) == "nft_do_chain+0x10");
  CHECK(location(t, 0xffffffff81001000) == "kfree_skb+0x0");
  CHECK(location(t, 0xffffffff810018ff) == "kfree_skb+0x8ff");  // data between does not end it
  CHECK(location(t, 0xffffffff81001900) == "weak_one+0x0");
}

TEST_CASE("of aliases the first in the file is taken") {
  CHECK(location(table(kText), 0xffffffff81000004) == "_stext+0x4");
}

TEST_CASE("what lies before all symbols or far behind one is a number") {
  const auto t = table(kText);
  CHECK(location(t, 0x1234) == "0x1234");
  CHECK(location(t, 0xffffffff81002000 + (1 << 20)) == "0xffffffff81102000");
  CHECK_FALSE(table("").find(1).has_value());
}

TEST_CASE("pieces may end anywhere") {
  for (std::size_t piece = 1; piece < 40; ++piece) {
    const auto t = table(kText, piece);
    REQUIRE(t.size() == 5);
    CHECK(location(t, 0xffffffff81002010) == "nft_do_chain+0x10");
  }
  CHECK(location(table("ffffffff81001000 T no_newline"), 0xffffffff81001001) == "no_newline+0x1");
}

TEST_CASE("addresses that the kernel hides are noticed") {
  CHECK(table("0000000000000000 T _text\n0000000000000000 t b\n").hidden());
  CHECK_FALSE(table(kText).hidden());
  CHECK_FALSE(table("").hidden());
}

TEST_CASE("hostile lines are skipped") {
  const auto t = table(
      "\n \nxyz\nffffffff81001000\nffffffff81001000 T\nffffffff81001000 T \n"
      "fffffffffffffffffffffff T too_long\nffffffff81001000 Tname\n" +
      std::string(100'000, 'a') + "\nffffffff81001000 T good\n");
  CHECK(t.size() == 1);
  CHECK(location(t, 0xffffffff81001000) == "good+0x0");
}

TEST_CASE("a file that is not there is a problem that says so") {
  auto symbols = KernelSymbols::open("/nonexistent/kallsyms");
  CHECK_FALSE(symbols.find(1).has_value());
  CHECK(symbols.problem().find("/nonexistent/kallsyms") != std::string::npos);
}
