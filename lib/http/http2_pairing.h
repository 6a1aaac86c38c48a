// HTTP/2 on a connection: each stream is an exchange.
#pragma once

#include <memory>
#include <unordered_map>

#include "http/conversation.h"
#include "http/http2.h"
#include "http/messages.h"

namespace plumb::http {

class Http2Pairing final : public Engine {
 public:
  // `requester_known`: false where the connection was joined and nothing told yet which side asks.
  // `upgraded`: by HTTP/1.1's Upgrade: h2c, so that the client still has its whole preface to send.
  Http2Pairing(Surroundings& surroundings, Direction requester, bool requester_known, bool joined,
               bool upgraded);
  ~Http2Pairing() override;

  // The request that asked for the upgrade; it is stream 1.
  void adopt(std::unique_ptr<Exchange> exchange);

  void take(const Piece& piece) override;
  void ended(End end, Failure failure, BootTime time) override;
  void missed(BootTime time) override;
  Role role() const override;
  std::size_t open() const override { return streams_.size(); }

 private:
  class Frames final : public FrameEvents {
   public:
    Frames(Http2Pairing& owner, Direction direction) : owner_(&owner), direction_(direction) {}
    void headers_begin(std::uint32_t stream, std::uint32_t promised) override {
      owner_->headers_begin(direction_, stream, promised);
    }
    void header(std::string_view name, std::string_view value) override { owner_->header(name, value); }
    void headers_done(bool whole) override { owner_->headers_done(whole); }
    void data(std::uint32_t stream, std::span<const std::byte> bytes, std::uint64_t missed) override {
      owner_->data(direction_, stream, bytes, missed);
    }
    void stream_end(std::uint32_t stream) override { owner_->stream_end(direction_, stream); }
    void stream_reset(std::uint32_t stream, std::uint32_t error) override {
      owner_->stream_reset(stream, error);
    }
    void goaway(std::uint32_t last_stream) override { owner_->goaway(direction_, last_stream); }
    void frames_lost() override { owner_->frames_lost(); }

   private:
    Http2Pairing* owner_;
    Direction direction_;
  };

  struct Open {
    std::unique_ptr<Exchange> exchange;
    bool request_seen = false;   // its headers
    bool response_seen = false;  // its final headers, or data of it
    FrameCounter up;
    FrameCounter down;
    EventCounter events;
    BootTime last_response_piece;
  };
  using Streams = std::unordered_map<std::uint32_t, Open>;

  void headers_begin(Direction direction, std::uint32_t stream, std::uint32_t promised);
  void header(std::string_view name, std::string_view value);
  bool pseudo_header(std::string_view name, std::string_view value);
  void learn_requester(bool sender_requests);
  void headers_done(bool whole);
  void data(Direction direction, std::uint32_t stream, std::span<const std::byte> bytes,
            std::uint64_t missed);
  void stream_end(Direction direction, std::uint32_t stream);
  void stream_reset(std::uint32_t stream, std::uint32_t error);
  void goaway(Direction direction, std::uint32_t last_stream);
  void frames_lost();

  bool is_request(Direction direction) const { return direction == requester_; }
  Open* open_stream(std::uint32_t stream);
  void note_gap(Open& open);
  void emit(Streams::iterator at);
  void fail(Streams::iterator at, Failure failure);
  void fail_all(Failure failure);
  void give_up_blocks();

  Surroundings* surroundings_;
  Direction requester_;
  bool requester_known_;
  bool joined_;
  Frames sent_{*this, Direction::sent};
  Frames received_{*this, Direction::received};
  Http2Side sent_side_;
  Http2Side received_side_;
  Streams streams_;
  // Of the header block under way.
  Open* block_ = nullptr;
  std::uint32_t block_stream_ = 0;
  Direction block_direction_ = Direction::sent;
  bool block_promised_ = false;
  bool block_trailers_ = false;
  MessageFields block_fields_;
  // Of the piece that is being taken.
  BootTime now_;
  std::uint32_t tid_ = 0;
};

}  // namespace plumb::http
