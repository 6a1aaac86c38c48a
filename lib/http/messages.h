// Counting the messages of what streams, from one direction's payload, in pieces of any size. Bytes that were
// not captured are skipped; where that hides a message's beginning the count is no longer known, and says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plumb::http {

// gRPC's length-prefixed messages and WebSocket's frames (RFC 6455, section 5.2): a small header that says
// how much follows.
class FrameCounter {
 public:
  enum class Kind : std::uint8_t { grpc, websocket };
  explicit FrameCounter(Kind kind = Kind::grpc) : kind_(kind) {}

  void take(std::span<const std::byte> bytes);
  void skip(std::uint64_t n);

  // Messages that are whole (websocket: whose last frame began; control frames are none).
  std::uint64_t messages() const { return messages_; }
  bool known() const { return known_; }

 private:
  bool header_complete() const;
  std::size_t header_size() const;
  void begin_frame();

  Kind kind_;
  bool known_ = true;
  std::uint8_t have_ = 0;  // bytes of header_
  std::byte header_[14] = {};
  std::uint64_t remaining_ = 0;  // of the frame's payload
  std::uint64_t messages_ = 0;
};

// Server-sent events: blocks that end with an empty line (HTML standard, section 9.2.6). Blocks of comments
// only
// (":keep-alive") are none.
class EventCounter {
 public:
  void take(std::span<const std::byte> bytes);
  void skip(std::uint64_t n) { known_ = known_ && n == 0; }
  std::uint64_t messages() const { return messages_; }
  bool known() const { return known_; }

 private:
  void line_ended();

  bool known_ = true;
  bool line_begins_ = true;
  bool comment_ = false;       // the line is one
  bool has_field_ = false;     // the block has a line that is none
  bool after_return_ = false;  // the byte before was CR
  std::uint64_t messages_ = 0;
};

}  // namespace plumb::http
