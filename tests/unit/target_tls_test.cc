#include "target/tls.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "target/go_functions.h"

using namespace plumb;

namespace {

// A table of Go 1.18 to 1.26 with two functions, as runtime/symtab.go lays it out.
std::vector<std::byte> go_table(std::uint64_t text_start) {
  std::vector<std::byte> out(256);
  const auto put = [&](std::size_t at, std::uint64_t value, std::size_t size) {
    std::memcpy(&out[at], &value, size);
  };
  put(0, 0xfffffff1, 4);
  put(6, 1, 1);
  put(7, 8, 1);
  put(8, 2, 8);  // functions
  put(24, text_start, 8);
  put(32, 72, 8);   // names
  put(64, 136, 8);  // functab
  std::memcpy(&out[72], "main.main\0crypto/tls.(*Conn).Read", 34);
  const std::uint32_t functab[] = {0x10, 24, 0x40, 40, 0x90};  // entry, offset of _func, ..., end
  std::memcpy(&out[136], functab, sizeof functab);
  put(136 + 24, 0x10, 4);
  put(136 + 28, 0, 4);
  put(136 + 40, 0x40, 4);
  put(136 + 44, 10, 4);
  return out;
}

}  // namespace

TEST_CASE("go functions: by name, with and without the start of the text") {
  const auto bytes = go_table(0x401000);
  const auto table = GoFunctions::parse(bytes);
  REQUIRE(table);
  CHECK(table->relative());
  CHECK(table->text_start() == 0x401000);
  CHECK(table->count() == 2);
  CHECK(table->first_entry() == 0x10);
  const auto range = table->find("crypto/tls.(*Conn).Read");
  REQUIRE(range);
  CHECK(range->address == 0x40);
  CHECK(range->size == 0x50);
  CHECK_FALSE(table->find("crypto/tls.(*Conn).Rea"));
  CHECK_FALSE(table->find("main.mai"));
  const auto zero = go_table(0);  // Go 1.26
  CHECK_FALSE(GoFunctions::parse(zero)->text_start());
}

TEST_CASE("go functions: damaged tables") {
  const auto bytes = go_table(0x401000);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto table = GoFunctions::parse(std::span(bytes).first(size));
    if (table) static_cast<void>(table->find("crypto/tls.(*Conn).Read"));
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto damaged = bytes;
    damaged[at] = std::byte{0xff};
    const auto table = GoFunctions::parse(damaged);
    if (table) static_cast<void>(table->find("crypto/tls.(*Conn).Read"));
  }
  CHECK_FALSE(GoFunctions::parse({}));
}

TEST_CASE("go version: from the build information") {
  std::vector<std::byte> info(64);
  std::memcpy(info.data(), "\xff Go buildinf:\x08\x02", 16);
  info[32] = std::byte{8};
  std::memcpy(&info[33], "go1.24.4", 8);
  CHECK(go_version(info) == "go1.24.4");
  CHECK(go_version(std::span(info).first(40)).empty());
  info[15] = std::byte{0};
  CHECK(go_version(info).empty());
  CHECK(go_version({}).empty());
}

TEST_CASE("tls: by a file's name") {
  for (const char* name : {"/usr/lib/libssl.so.3", "/lib/libgnutls.so.30.1.2", "/x/_ssl.cpython-312.so",
                           "/x/libpython3.12.so.1.0", "/tmp/libnetty_tcnative_openssl.so"})
    CHECK(may_hold_tls(name));
  for (const char* name : {"/usr/lib/libc.so.6", "/usr/lib/libcrypto.so.3", "/ssl/libm.so.6"})
    CHECK_FALSE(may_hold_tls(name));
  CHECK(unreadable_tls("/usr/lib/libssl3.so").starts_with("NSS"));
  CHECK(unreadable_tls("/opt/jdk/lib/server/libjvm.so").starts_with("Java"));
  CHECK(unreadable_tls("/usr/lib/libc.so.6").empty());
}
