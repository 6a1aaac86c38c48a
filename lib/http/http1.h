// One direction of an HTTP/1.x connection, cut into messages: where each one's head and body begin and end.
// It reads what it is given in pieces of any size and skips what was not captured; what a head means is its
// owner's business.
//
// The owner says after each head how the body is framed (RFC 9112, section 6.3), for that depends on the
// request too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace plumb::http {

struct Framing {
  enum class Kind : std::uint8_t {
    none,
    length,
    chunked,
    until_close,
    opaque,   // whatever comes is no longer HTTP/1: a tunnel, websocket, HTTP/2
    unknown,  // the head was cut: up to whatever looks like the next message
    invalid,  // it was no head at all
  };
  Kind kind = Kind::none;
  std::uint64_t length = 0;
};

class MessageEvents {
 public:
  virtual ~MessageEvents() = default;
  // `head` ends with its last line, before the empty one. `cut`: there was more that was not captured.
  virtual Framing head(std::string_view head, bool cut) = 0;
  // Payload as it is on the wire: `wire` bytes, of which `bytes` are the content (without chunk framing) that
  // was captured, and `missed` content that was not.
  virtual void body(std::uint64_t wire, std::span<const std::byte> bytes, std::uint64_t missed) = 0;
  virtual void end() = 0;
  // Bytes outside of messages that nobody understood.
  virtual void stray(std::uint64_t bytes) = 0;
};

class Http1Side {
 public:
  // Nothing beyond this of one head is kept.
  static constexpr std::size_t kMaxHead = 65536;

  // `synchronized`: the first byte begins a message; otherwise the first piece that looks like one does.
  Http1Side(MessageEvents& events, bool synchronized) : events_(&events) {
    if (!synchronized) state_ = State::adrift;
  }

  // `begins`: a call began with this piece. `ends`: a call ended with it.
  void take(std::span<const std::byte> bytes, bool begins, bool ends);
  void skip(std::uint64_t n);
  // No more will come. Ends a body that lasts until then; anything else under way is left to the owner.
  void finish();

  bool between_messages() const { return state_ == State::start && head_.empty(); }
  bool in_message() const { return state_ != State::start && state_ != State::adrift; }
  bool opaque() const { return state_ == State::opaque; }
  bool adrift() const { return state_ == State::adrift; }
  // Whatever comes from now on is no longer HTTP/1.
  void become_opaque() {
    head_.clear();
    state_ = State::opaque;
  }
  // Gives up the message under way and waits for the next piece that begins one.
  void lose();
  // The rest of a head will not come, or not in time: what there is of it is told as one that was cut. False: none is
  // under way.
  bool give_up_head();

 private:
  enum class State : std::uint8_t {
    start,  // between messages or in a head
    length,
    chunk_size,
    chunk_extension,
    chunk_data,
    chunk_end,  // the line break after the data
    trailer,
    until_close,
    opaque,
    guess,   // in a body whose framing is not known
    adrift,  // outside of any message that we understand
  };

  std::size_t take_head(std::string_view text);
  void head_complete(std::string_view head, bool cut);
  void begin_body(const Framing& framing);
  std::size_t take_chunked(std::span<const std::byte> bytes);
  void take_chunk_size(char c);
  void take_trailer(char c);
  void chunk_size_done();
  void message_done();

  MessageEvents* events_;
  State state_ = State::start;
  bool chunked_ = false;            // in `guess`: the message was chunked
  std::uint64_t remaining_ = 0;     // of the length or of the chunk
  std::uint8_t digits_ = 0;         // of a chunk's size
  std::uint32_t trailer_line_ = 0;  // bytes of the trailer's line under way
  std::string head_;                // of a head that came in pieces
};

// Whether bytes at the beginning of a call look like the beginning of a request or a response. At least 8
// bytes are needed to tell.
bool looks_like_request(std::string_view text);
bool looks_like_response(std::string_view text);

}  // namespace plumb::http
