// The cursor over a DNS message's bytes: numbers in network order, and names with their compression. What is
// out of bounds makes the reader fail, and a failed reader stays failed and gives zeros, so that a caller may
// check once at the end of a structure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace plumb::dns {

class Reader {
 public:
  explicit Reader(std::span<const std::byte> message) : message_(message), end_(message.size()) {}
  // The same message, narrowed to [at, at + length): a record's data, whose names may point back into the
  // message.
  Reader within(std::size_t length) const;

  bool failed() const { return failed_; }
  std::size_t position() const { return at_; }
  std::size_t left() const { return failed_ ? 0 : end_ - at_; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return number(4); }
  // The next `length` bytes; empty on failure.
  std::span<const std::byte> bytes(std::size_t length);
  void skip(std::size_t length) { (void)bytes(length); }

  // Appends a name as text: labels with dots between them, "." for the root, and inside a label a dot and a
  // backslash as \. and \\, bytes outside of 0x21..0x7e as \DDD (RFC 4343, section 2.1). On failure nothing
  // is appended. Bounded: a compression pointer has to point before the place where the name, or the piece
  // that it came from, began (so that there are no loops), a name is at most 255 bytes (RFC 1035,
  // section 2.3.4).
  void name(std::string& out);

 private:
  std::uint32_t number(std::size_t size);

  std::span<const std::byte> message_;
  std::size_t at_ = 0;
  std::size_t end_;
  bool failed_ = false;
};

// Appends one byte of a label or of quoted text: itself, or \DDD.
void append_escaped(std::string& out, std::uint8_t byte);

}  // namespace plumb::dns
