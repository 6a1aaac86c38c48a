// A cursor over bytes that somebody else wrote. Reading past the end gives zeros and makes ok() false, so that
// parsers check once for each record instead of once for each field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace plumb {

// Any fixed-size integer at `offset`; the caller has checked that it lies inside.
template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

class BytesReader {
 public:
  explicit BytesReader(std::span<const std::byte> bytes, std::size_t at = 0)
      : bytes_(bytes), at_(at > bytes.size() ? bytes.size() : at), ok_(at <= bytes.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return !ok_ || at_ == bytes_.size(); }
  std::size_t position() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }

  template <class T>
  T take() {
    if (left() < sizeof(T)) return fail<T>();
    const T value = load<T>(bytes_, at_);
    at_ += sizeof(T);
    return value;
  }

  std::span<const std::byte> take_bytes(std::uint64_t count) {
    if (left() < count) return fail<std::span<const std::byte>>();
    const auto taken = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
  }

  // Up to and without the next NUL.
  std::string_view take_string() {
    const auto* begin = reinterpret_cast<const char*>(bytes_.data()) + at_;
    const void* end = left() != 0 ? std::memchr(begin, 0, left()) : nullptr;
    if (end == nullptr) return fail<std::string_view>();
    const auto size = static_cast<std::size_t>(static_cast<const char*>(end) - begin);
    at_ += size + 1;
    return {begin, size};
  }

  // DWARF 5, section 7.6. Bits beyond 64 are dropped.
  std::uint64_t take_uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = take<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }
  std::int64_t take_sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const auto byte = take<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t{byte & 0x7fU} << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if (shift < 64 && (byte & 0x40) != 0) value |= ~std::uint64_t{0} << shift;
      return static_cast<std::int64_t>(value);
    }
  }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    at_ = bytes_.size();
    return T{};
  }

  std::span<const std::byte> bytes_;
  std::size_t at_;
  bool ok_;
};

}  // namespace plumb
