// Call-frame information made by hand, for tests of any machine's unwinding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

namespace plumb::cfi_bytes {

using Bytes = std::vector<std::byte>;

inline void put(Bytes& out, std::initializer_list<unsigned> bytes) {
  for (const unsigned b : bytes) out.push_back(static_cast<std::byte>(b));
}

inline void put32(Bytes& out, std::uint32_t v) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(v >> 8 * i));
}

inline void close_entry(Bytes& out, std::size_t at) {
  while ((out.size() - at) % 8 != 4) out.push_back(std::byte{0});
  const auto length = static_cast<std::uint32_t>(out.size() - at - 4);
  std::memcpy(out.data() + at, &length, 4);
}

// An FDE of the CIE at 0: a function of 0x100 bytes at 0x1000.
inline void add_function(Bytes& out, std::initializer_list<unsigned> program) {
  const std::size_t fde = out.size();
  put32(out, 0);
  put32(out, static_cast<std::uint32_t>(out.size()));
  put32(out, 0x1000);
  put32(out, 0x100);
  put(out, {0});
  put(out, program);
  close_entry(out, fde);
}

}  // namespace plumb::cfi_bytes
