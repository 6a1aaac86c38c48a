// One direction of an HTTP/2 connection (RFC 9113), cut into frames. Header blocks are put together and
// decoded in the order of the wire; payload of DATA is passed on, captured or counted. Where bytes that were
// not captured hide the beginning of a frame, it waits for a call that begins with one, and from then on
// knows older HPACK entries no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/hpack.h"

namespace plumb::http {

class FrameEvents {
 public:
  virtual ~FrameEvents() = default;
  // A header block: first begin, then each field, then done. `promised` is not 0 for PUSH_PROMISE.
  virtual void headers_begin(std::uint32_t stream, std::uint32_t promised) = 0;
  virtual void header(std::string_view name, std::string_view value) = 0;
  // `whole`: the block was captured and decoded to its end.
  virtual void headers_done(bool whole) = 0;
  virtual void data(std::uint32_t stream, std::span<const std::byte> bytes, std::uint64_t missed) = 0;
  virtual void stream_end(std::uint32_t stream) = 0;
  virtual void stream_reset(std::uint32_t stream, std::uint32_t error) = 0;
  virtual void goaway(std::uint32_t last_stream) = 0;
  // Frames are lost: what is under way on streams may have ended unseen.
  virtual void frames_lost() = 0;
};

class Http2Side {
 public:
  enum class Start : std::uint8_t {
    preface,       // the client's side from its first byte: "PRI * HTTP/2.0..."
    preface_rest,  // "SM\r\n\r\n" of it
    frames,        // the server's side from its first byte
    joined,        // anywhere: the next call that begins with a frame
  };
  Http2Side(FrameEvents& events, Start start);

  void take(std::span<const std::byte> bytes, bool begins);
  void skip(std::uint64_t n);
  // The rest of a header block will not come: what there is of it is told as one that is not whole.
  void give_up_block();

  bool adrift() const { return state_ == State::adrift; }

 private:
  enum class State : std::uint8_t { preface, header, payload, adrift };
  enum class Type : std::uint8_t {
    data = 0,
    headers = 1,
    rst_stream = 3,
    push_promise = 5,
    goaway = 7,
    continuation = 9,
  };

  std::size_t take_header(std::span<const std::byte> bytes);
  std::size_t take_payload(std::span<const std::byte> bytes);
  void payload_bytes(std::span<const std::byte> bytes, std::uint64_t missed);
  void data_bytes(std::span<const std::byte> bytes, std::uint64_t missed);
  void frame_begins();
  void frame_ends();
  void block_frame_ends();
  void decode_block(bool captured, bool ended = true);
  void cut_block();
  void lose();

  FrameEvents* events_;
  State state_;
  std::uint8_t have_ = 0;  // bytes of header_ or of the preface
  std::byte header_[9] = {};
  std::string_view preface_;  // what is still to come
  std::uint32_t length_ = 0;  // of the frame's payload
  std::uint32_t remaining_ = 0;
  std::uint8_t type_ = 0;
  std::uint8_t flags_ = 0;
  std::uint32_t stream_ = 0;
  std::uint32_t padding_ = 0;  // of DATA: bytes at the end that are none
  bool padding_read_ = false;
  bool missed_ = false;        // of the frame under way some bytes were not captured
  bool block_missed_ = false;  // of the header block
  bool in_block_ = false;      // between HEADERS and the end of its block
  bool block_ends_stream_ = false;
  std::uint32_t block_stream_ = 0;
  std::uint32_t block_promised_ = 0;
  std::vector<std::byte> frame_;  // payload of a frame that is looked at as a whole
  std::vector<std::byte> block_;
  Hpack hpack_;
};

// Whether bytes at the beginning of a call look like the header of an HTTP/2 frame and what it says fits. At
// least 9 bytes.
bool looks_like_frame(std::span<const std::byte> bytes);

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace plumb::http
