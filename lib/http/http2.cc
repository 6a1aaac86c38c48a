#include "http/http2.h"

#include <algorithm>
#include <array>

namespace plumb::http {
namespace {

constexpr std::uint8_t kEndStream = 0x1, kEndHeaders = 0x4, kPadded = 0x8, kPriority = 0x20;
// Nobody announces a larger SETTINGS_MAX_FRAME_SIZE than this; 16,384 is the default.
constexpr std::uint32_t kMaxFrame = 1U << 20;
constexpr std::size_t kMaxBlock = 1U << 17;
constexpr std::size_t kMaxKeptFrame = 65536;

std::uint32_t u32(const std::byte* b) {
  return std::to_integer<std::uint32_t>(b[0]) << 24 | std::to_integer<std::uint32_t>(b[1]) << 16 |
         std::to_integer<std::uint32_t>(b[2]) << 8 | std::to_integer<std::uint32_t>(b[3]);
}

struct FrameHeader {
  std::uint32_t length;
  std::uint8_t type;
  std::uint8_t flags;
  std::uint32_t stream;
};

FrameHeader read_header(const std::byte* b) {
  return {u32(b) >> 8, std::to_integer<std::uint8_t>(b[3]), std::to_integer<std::uint8_t>(b[4]),
          u32(b + 5) & 0x7fffffffU};
}

// What RFC 9113, section 6, demands of each type; unknown types are extensions.
bool plausible(const FrameHeader& h) {
  constexpr std::array<std::uint8_t, 10> kFlags = {0x9, 0x2d, 0, 0, 0x1, 0xc, 0x1, 0, 0, 0x4};
  if (h.length > kMaxFrame || h.type >= kFlags.size()) return false;
  if ((h.flags & ~kFlags[h.type]) != 0) return false;
  switch (h.type) {
    case 2:
      return h.stream != 0 && h.length == 5;
    case 3:
      return h.stream != 0 && h.length == 4;
    case 4:
      return h.stream == 0 && h.length % 6 == 0 && (h.flags == 0 || h.length == 0);
    case 6:
      return h.stream == 0 && h.length == 8;
    case 7:
      return h.stream == 0 && h.length >= 8;
    case 8:
      return h.length == 4;
    default:
      return h.stream != 0;
  }
}

}  // namespace

bool looks_like_frame(std::span<const std::byte> bytes) {
  return bytes.size() >= 9 && plausible(read_header(bytes.data()));
}

Http2Side::Http2Side(FrameEvents& events, Start start)
    : events_(&events),
      state_(start == Start::frames   ? State::header
             : start == Start::joined ? State::adrift
                                      : State::preface),
      preface_(start == Start::preface ? kPreface : kPreface.substr(kPreface.size() - 6)),
      hpack_(start == Start::joined) {}

void Http2Side::lose() {
  if (state_ == State::adrift) return;
  state_ = State::adrift;
  have_ = 0;
  cut_block();
  block_.clear();
  hpack_ = Hpack(true);
  events_->frames_lost();
}

void Http2Side::take(std::span<const std::byte> bytes, bool begins) {
  if (state_ == State::adrift && begins && looks_like_frame(bytes)) state_ = State::header;
  while (!bytes.empty()) {
    std::size_t used = bytes.size();
    switch (state_) {
      case State::preface:
        if (static_cast<char>(bytes.front()) != preface_.front()) return lose();
        preface_.remove_prefix(1);
        used = 1;
        if (preface_.empty()) state_ = State::header;
        break;
      case State::header:
        used = take_header(bytes);
        break;
      case State::payload:
        used = take_payload(bytes);
        break;
      case State::adrift:
        break;
    }
    bytes = bytes.subspan(used);
  }
}

void Http2Side::skip(std::uint64_t n) {
  while (n > 0) {
    if (state_ != State::payload) return lose();
    const auto part = static_cast<std::uint32_t>(std::min<std::uint64_t>(n, remaining_));
    missed_ = true;
    payload_bytes({}, part);
    remaining_ -= part;
    n -= part;
    if (remaining_ == 0) frame_ends();
  }
}

std::size_t Http2Side::take_header(std::span<const std::byte> bytes) {
  const std::size_t n = std::min(bytes.size(), sizeof header_ - have_);
  std::copy_n(bytes.begin(), n, header_ + have_);
  have_ = static_cast<std::uint8_t>(have_ + n);
  if (have_ < sizeof header_) return n;
  have_ = 0;
  frame_begins();
  return n;
}

void Http2Side::frame_begins() {
  const FrameHeader h = read_header(header_);
  // A block's frames follow one another without any other between them (RFC 9113, section 4.3).
  const bool fits = h.type == static_cast<std::uint8_t>(Type::continuation)
                        ? in_block_ && h.stream == block_stream_
                        : !in_block_;
  if (!fits || h.length > kMaxFrame || (h.type < 10 && !plausible({h.length, h.type, 0, h.stream})))
    return lose();
  length_ = remaining_ = h.length;
  type_ = h.type;
  flags_ = h.flags;
  stream_ = h.stream;
  padding_ = 0;
  padding_read_ = (flags_ & kPadded) == 0;
  missed_ = false;
  frame_.clear();
  state_ = State::payload;
  if (remaining_ == 0) frame_ends();
}

std::size_t Http2Side::take_payload(std::span<const std::byte> bytes) {
  const std::size_t n = std::min<std::size_t>(bytes.size(), remaining_);
  payload_bytes(bytes.first(n), 0);
  remaining_ -= static_cast<std::uint32_t>(n);
  if (remaining_ == 0) frame_ends();
  return n;
}

void Http2Side::payload_bytes(std::span<const std::byte> bytes, std::uint64_t missed) {
  switch (static_cast<Type>(type_)) {
    case Type::data:
      return data_bytes(bytes, missed);
    case Type::headers:
    case Type::push_promise:
    case Type::continuation:
    case Type::rst_stream:
    case Type::goaway:
      if (frame_.size() + bytes.size() <= kMaxKeptFrame) {
        frame_.insert(frame_.end(), bytes.begin(), bytes.end());
      } else {
        missed_ = true;
      }
      return;
    default:
      return;
  }
}

// remaining_ still counts `bytes` or `missed`.
void Http2Side::data_bytes(std::span<const std::byte> bytes, std::uint64_t missed) {
  if (!padding_read_) {
    padding_read_ = true;
    const std::uint32_t left = remaining_ - 1;
    if (!bytes.empty()) {
      padding_ = std::min(std::to_integer<std::uint32_t>(bytes.front()), left);
      bytes = bytes.subspan(1);
    } else {
      --missed;  // how much is padding was not captured
    }
    if (bytes.empty() && missed == 0) return;
    const std::uint64_t content = left - padding_;
    bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), content)));
    missed = std::min(missed, content);
  } else {
    const std::uint64_t content = remaining_ > padding_ ? remaining_ - padding_ : 0;
    bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), content)));
    missed = std::min(missed, content);
  }
  if (!bytes.empty() || missed > 0) events_->data(stream_, bytes, missed);
}

void Http2Side::frame_ends() {
  state_ = State::header;
  switch (static_cast<Type>(type_)) {
    case Type::data:
      if ((flags_ & kEndStream) != 0) events_->stream_end(stream_);
      return;
    case Type::headers:
    case Type::push_promise:
    case Type::continuation:
      return block_frame_ends();
    case Type::rst_stream:
      if (!missed_ && frame_.size() >= 4) events_->stream_reset(stream_, u32(frame_.data()));
      if (missed_) events_->stream_reset(stream_, 0xffffffffU);
      return;
    case Type::goaway:
      if (frame_.size() >= 4) events_->goaway(u32(frame_.data()) & 0x7fffffffU);
      return;
    default:
      return;
  }
}

// One frame of a header block is complete in frame_: without padding and priority it goes to block_.
void Http2Side::block_frame_ends() {
  std::span<const std::byte> content(frame_);
  bool malformed = false;
  const auto type = static_cast<Type>(type_);
  if (type != Type::continuation) {
    in_block_ = true;
    block_.clear();
    block_missed_ = false;
    block_stream_ = stream_;
    block_promised_ = 0;
    block_ends_stream_ = type == Type::headers && (flags_ & kEndStream) != 0;
    std::size_t padding = 0;
    const auto drop = [&](std::size_t n) {
      malformed = malformed || content.size() < n;
      content = content.subspan(std::min(n, content.size()));
    };
    if ((flags_ & kPadded) != 0 && !content.empty()) {
      padding = std::to_integer<std::size_t>(content.front());
      drop(1);
    }
    if (type == Type::headers && (flags_ & kPriority) != 0) drop(5);
    if (type == Type::push_promise) {
      if (content.size() >= 4) block_promised_ = u32(content.data()) & 0x7fffffffU;
      drop(4);
    }
    malformed = malformed || (padding > content.size() && !missed_);
    content = content.first(content.size() - std::min(padding, content.size()));
  }
  if (missed_ || malformed || block_.size() + content.size() > kMaxBlock) block_missed_ = true;
  if (!block_missed_) block_.insert(block_.end(), content.begin(), content.end());
  if ((flags_ & kEndHeaders) != 0) {
    in_block_ = false;
    decode_block(!block_missed_);
  }
}

void Http2Side::give_up_block() {
  const auto type = static_cast<Type>(type_);
  if (state_ == State::payload &&
      (type == Type::headers || type == Type::push_promise || type == Type::continuation)) {
    state_ = State::adrift;
    flags_ &= static_cast<std::uint8_t>(~kEndHeaders);
    block_frame_ends();
  }
  cut_block();
}

// Tells the fields that a block without its end has. What comes later in this direction cannot be decoded as before.
void Http2Side::cut_block() {
  if (!in_block_) return;
  in_block_ = false;
  block_ends_stream_ = false;
  decode_block(!block_missed_, false);
}

void Http2Side::decode_block(bool captured, bool ended) {
  events_->headers_begin(block_stream_, block_promised_);
  const bool decoded = captured && hpack_.decode(
                                       block_,
                                       [](void* events, std::string_view name, std::string_view value) {
                                         static_cast<FrameEvents*>(events)->header(name, value);
                                       },
                                       events_);
  const bool whole = decoded && ended;
  // What the block would have added to the dynamic table is not known: what is there now sits at wrong
  // places.
  if (!whole) hpack_ = Hpack(true);
  events_->headers_done(whole);
  block_.clear();
  if (block_ends_stream_) events_->stream_end(block_stream_);
}

}  // namespace plumb::http
