#include "dns/reader.h"

namespace plumb::dns {
namespace {

constexpr std::size_t kMaxName = 255;    // with length bytes and the root's
constexpr std::uint8_t kPointer = 0xc0;  // the two high bits of a compression pointer
constexpr std::uint8_t kLabelBits =
    0xc0;  // 01 and 10 stand for label types that never came into use (RFC 6891)

void append_label_byte(std::string& out, std::uint8_t byte) {
  if (byte == '.' || byte == '\\') {
    out += '\\';
    out += static_cast<char>(byte);
  } else {
    append_escaped(out, byte);
  }
}

}  // namespace

void append_escaped(std::string& out, std::uint8_t byte) {
  if (byte > 0x20 && byte < 0x7f) {
    out += static_cast<char>(byte);
    return;
  }
  out += '\\';
  out += static_cast<char>('0' + byte / 100);
  out += static_cast<char>('0' + byte / 10 % 10);
  out += static_cast<char>('0' + byte % 10);
}

Reader Reader::within(std::size_t length) const {
  Reader inner = *this;
  if (length > left()) {
    inner.failed_ = true;
  } else {
    inner.end_ = at_ + length;
  }
  return inner;
}

std::span<const std::byte> Reader::bytes(std::size_t length) {
  if (failed_ || length > end_ - at_) {
    failed_ = true;
    return {};
  }
  const auto out = message_.subspan(at_, length);
  at_ += length;
  return out;
}

std::uint32_t Reader::number(std::size_t size) {
  std::uint32_t value = 0;
  for (const std::byte b : bytes(size)) value = value << 8U | std::to_integer<std::uint32_t>(b);
  return value;
}

void Reader::name(std::string& out) {
  const std::size_t rollback = out.size();
  const auto fail = [&] {
    failed_ = true;
    out.resize(rollback);
  };
  std::size_t at = at_;
  std::size_t limit =
      end_;  // of the piece that is read; behind a pointer: where the piece that pointed began
  std::size_t piece = at_;
  std::size_t length = 0;
  bool jumped = false;
  while (!failed_) {
    if (at >= limit) return fail();
    const auto head = std::to_integer<std::uint8_t>(message_[at]);
    if ((head & kLabelBits) == kPointer) {
      if (limit - at < 2) return fail();
      const std::size_t target =
          std::size_t{head & 0x3fU} << 8U | std::to_integer<std::size_t>(message_[at + 1]);
      if (target >= piece) return fail();
      if (!jumped) at_ = at + 2;
      jumped = true;
      limit = piece;
      at = piece = target;
      continue;
    }
    if ((head & kLabelBits) != 0) return fail();
    length += head + 1U;
    if (length > kMaxName || limit - at < head + 1U) return fail();
    ++at;
    if (head == 0) break;
    if (out.size() != rollback) out += '.';
    for (const std::byte b : message_.subspan(at, head))
      append_label_byte(out, std::to_integer<std::uint8_t>(b));
    at += head;
  }
  if (failed_) return;
  if (!jumped) at_ = at;
  if (out.size() == rollback) out += '.';
}

}  // namespace plumb::dns
