#include "http/messages.h"

#include <algorithm>
#include <cstring>

namespace plumb::http {
namespace {

std::uint64_t big_endian(const std::byte* bytes, std::size_t n) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

}  // namespace

std::size_t FrameCounter::header_size() const {
  if (kind_ == Kind::grpc) return 5;
  if (have_ < 2) return 2;
  const auto second = std::to_integer<unsigned>(header_[1]);
  const unsigned length = second & 0x7fU;
  return 2U + (length == 126 ? 2U : length == 127 ? 8U : 0U) + ((second & 0x80U) != 0 ? 4U : 0U);
}

bool FrameCounter::header_complete() const {
  return have_ >= 2 && have_ >= header_size();
}

void FrameCounter::begin_frame() {
  have_ = 0;
  if (kind_ == Kind::grpc) {
    if (std::to_integer<unsigned>(header_[0]) > 1) known_ = false;  // the flag is 0 or 1
    remaining_ = big_endian(header_ + 1, 4);
    ++messages_;
    return;
  }
  const auto first = std::to_integer<unsigned>(header_[0]);
  const unsigned length = std::to_integer<unsigned>(header_[1]) & 0x7fU;
  remaining_ = length == 126   ? big_endian(header_ + 2, 2)
               : length == 127 ? big_endian(header_ + 2, 8)
                               : length;
  const bool control = (first & 0x08U) != 0;
  const bool last = (first & 0x80U) != 0;
  if (!control && last) ++messages_;
}

void FrameCounter::take(std::span<const std::byte> bytes) {
  while (known_ && !bytes.empty()) {
    if (remaining_ > 0) {
      const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
      remaining_ -= n;
      bytes = bytes.subspan(n);
      continue;
    }
    header_[have_++] = bytes.front();
    bytes = bytes.subspan(1);
    if (header_complete()) begin_frame();
  }
}

void FrameCounter::skip(std::uint64_t n) {
  if (n > remaining_) known_ = false;
  remaining_ -= std::min(n, remaining_);
}

void EventCounter::line_ended() {
  if (!line_begins_) {
    if (!comment_) has_field_ = true;
  } else if (has_field_) {
    ++messages_;
    has_field_ = false;
  }
  line_begins_ = true;
  comment_ = false;
}

void EventCounter::take(std::span<const std::byte> bytes) {
  for (const std::byte b : bytes) {
    const char c = static_cast<char>(b);
    const bool second_of_pair = after_return_ && c == '\n';
    after_return_ = c == '\r';
    if (second_of_pair) continue;
    if (c == '\r' || c == '\n') {
      line_ended();
    } else {
      if (line_begins_) comment_ = c == ':';
      line_begins_ = false;
    }
  }
}

}  // namespace plumb::http
