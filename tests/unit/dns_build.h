// Builds DNS messages for tests, byte by byte, with none of the code under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dns_build {

class Bytes {
 public:
  Bytes& u8(unsigned n) { return data_.push_back(static_cast<std::byte>(n)), *this; }
  Bytes& u16(unsigned n) { return u8(n >> 8U).u8(n & 0xffU); }
  Bytes& u32(std::uint32_t n) { return u16(n >> 16U).u16(n & 0xffffU); }
  Bytes& raw(std::string_view text) {
    for (const char c : text) u8(static_cast<unsigned char>(c));
    return *this;
  }
  Bytes& raw(const Bytes& other) {
    return data_.insert(data_.end(), other.data_.begin(), other.data_.end()), *this;
  }
  // "www.example.com", labels by dots; "" is the root.
  Bytes& name(std::string_view text) {
    while (!text.empty()) {
      const std::string_view label = text.substr(0, text.find('.'));
      u8(static_cast<unsigned>(label.size())).raw(label);
      text.remove_prefix(label.size() == text.size() ? text.size() : label.size() + 1);
    }
    return u8(0);
  }
  Bytes& pointer(unsigned offset) { return u16(0xc000U | offset); }

  operator std::span<const std::byte>() const { return data_; }
  std::size_t size() const { return data_.size(); }
  std::vector<std::byte>& data() { return data_; }

 private:
  std::vector<std::byte> data_;
};

inline constexpr unsigned kQuestionName = 12;  // where the name of the question stands

inline Bytes header(unsigned id, unsigned flags, unsigned questions, unsigned answers,
                    unsigned additional = 0) {
  Bytes b;
  b.u16(id).u16(flags).u16(questions).u16(answers).u16(0).u16(additional);
  return b;
}

inline Bytes query(unsigned id, std::string_view name, unsigned type = 1, unsigned flags = 0x0100) {
  return header(id, flags, 1, 0).name(name).u16(type).u16(1);
}

// An answer with one record for each of `data`, all of the question's type and name.
inline Bytes response(unsigned id, std::string_view name, unsigned type, const std::vector<Bytes>& data,
                      unsigned flags = 0x8180) {
  Bytes b = header(id, flags, 1, static_cast<unsigned>(data.size()));
  b.name(name).u16(type).u16(1);
  for (const Bytes& d : data)
    b.pointer(kQuestionName).u16(type).u16(1).u32(300).u16(static_cast<unsigned>(d.size())).raw(d);
  return b;
}

inline Bytes address(unsigned a, unsigned b, unsigned c, unsigned d) {
  Bytes out;
  return out.u8(a).u8(b).u8(c).u8(d);
}

}  // namespace dns_build
