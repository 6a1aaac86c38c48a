#include "dns/tcp_stream.h"

#include <algorithm>
#include <utility>

#include "dns/message.h"

namespace plumb::dns {
namespace {

constexpr std::size_t kLengthBytes = 2;

// How far `a` lies behind `b`, modulo 2^32 (RFC 9293, section 3.4).
std::int32_t distance(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b);
}

std::uint16_t word(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8U |
                                    std::to_integer<unsigned>(bytes[at + 1]));
}

// Whether a DNS message may begin here, as far as the bytes reach: a length that holds a header, one question at most
// and, of the codes for the kind of query, one that is in use.
bool plausible(std::span<const std::byte> bytes) {
  if (bytes.size() >= 2 && word(bytes, 0) < kHeaderBytes) return false;
  if (bytes.size() >= 6 && (word(bytes, 4) >> 11U & 0xfU) > 6) return false;
  return bytes.size() < 8 || word(bytes, 6) <= 1;
}

}  // namespace

void TcpStream::reset() {
  buffer_.clear();
  start_ = held_count_ = held_bytes_ = 0;
  begun_ = sure_ = false;
}

void TcpStream::begin(std::uint32_t sequence) {
  if (begun_ && sure_ && expected_ == sequence + 1) return;  // the same SYN once more
  reset();
  expected_ = sequence + 1;
  begun_ = sure_ = true;
}

void TcpStream::append(std::span<const std::byte> bytes) {
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = 0;
  } else if (start_ >= kMaxHeld) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start_));
    start_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  expected_ += static_cast<std::uint32_t>(bytes.size());
}

void TcpStream::add(std::uint32_t sequence, std::span<const std::byte> payload) {
  if (payload.empty()) return;
  if (!begun_) {
    if (!plausible(payload)) return;
    expected_ = sequence;
    begun_ = true;
  }
  std::int32_t ahead = distance(sequence, expected_);
  if (ahead > 0) {
    hold(sequence, payload);
    return;
  }
  const auto seen = static_cast<std::size_t>(-std::int64_t{ahead});
  if (seen >= payload.size()) return;
  append(payload.subspan(seen));
  take_held();
}

// Kept until what is missing in front of it comes. With no room left, the hole is given up.
void TcpStream::hold(std::uint32_t sequence, std::span<const std::byte> payload) {
  const bool known = std::any_of(
      held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(held_count_),
      [&](const Segment& s) { return s.sequence == sequence && s.bytes.size() >= payload.size(); });
  if (known) return;
  if (payload.size() > kMaxHeld) payload = payload.first(kMaxHeld);
  while (held_count_ > 0 && (held_count_ == kMaxSegments || held_bytes_ + payload.size() > kMaxHeld))
    skip_hole();
  if (distance(sequence, expected_) <= 0) {  // the hole that was given up lay behind it
    add(sequence, payload);
    return;
  }
  if (held_count_ == held_.size()) held_.emplace_back();
  Segment& s = held_[held_count_++];
  s.sequence = sequence;
  held_memory_ -= s.bytes.capacity();
  s.bytes.assign(payload.begin(), payload.end());
  held_memory_ += s.bytes.capacity();
  held_bytes_ += payload.size();
}

void TcpStream::take_held() {
  for (std::size_t i = 0; i < held_count_;) {
    Segment& s = held_[i];
    const std::int32_t ahead = distance(s.sequence, expected_);
    if (ahead > 0) {
      ++i;
      continue;
    }
    const auto seen = static_cast<std::size_t>(-std::int64_t{ahead});
    if (seen < s.bytes.size()) append(std::span(s.bytes).subspan(seen));
    held_bytes_ -= s.bytes.size();
    std::swap(s, held_[--held_count_]);
    i = 0;  // the one before may fit now
  }
}

// Goes on at the first segment that is held. Where a message begins there has to be guessed again.
void TcpStream::skip_hole() {
  ++gaps_;
  buffer_.clear();
  start_ = 0;
  sure_ = false;
  const auto end = held_.begin() + static_cast<std::ptrdiff_t>(held_count_);
  const auto first = std::min_element(held_.begin(), end, [](const Segment& a, const Segment& b) {
    return distance(a.sequence, b.sequence) < 0;
  });
  expected_ = first->sequence;
  take_held();
}

std::optional<std::span<const std::byte>> TcpStream::next() {
  const auto waiting = std::span<const std::byte>(buffer_).subspan(start_);
  if (!sure_ && !plausible(waiting)) {
    // No message began there. The next segment may begin with one.
    buffer_.clear();
    start_ = held_count_ = held_bytes_ = 0;
    begun_ = false;
    return std::nullopt;
  }
  if (waiting.size() < kLengthBytes) return std::nullopt;
  const std::size_t length = word(waiting, 0);
  if (waiting.size() < kLengthBytes + length) return std::nullopt;
  start_ += kLengthBytes + length;
  if (length >= kHeaderBytes) sure_ = true;
  return waiting.subspan(kLengthBytes, length);
}

}  // namespace plumb::dns
