// HTTP/1.x on a connection: the responses come in the order of the requests.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "http/conversation.h"
#include "http/http1.h"
#include "http/messages.h"

namespace plumb::http {

class Http1Pairing final : public Engine {
 public:
  // `joined`: pieces went before the first that is given.
  Http1Pairing(Surroundings& surroundings, Direction requester, bool joined);
  ~Http1Pairing() override;

  void take(const Piece& piece) override;
  void ended(End end, Failure failure, BootTime time) override;
  void missed(BootTime time) override;
  Role role() const override;
  std::size_t open() const override;

 private:
  class Requests final : public MessageEvents {
   public:
    explicit Requests(Http1Pairing& owner) : owner_(&owner) {}
    Framing head(std::string_view head, bool cut) override { return owner_->request_head(head, cut); }
    void body(std::uint64_t wire, std::span<const std::byte> bytes, std::uint64_t missed) override {
      owner_->request_body(wire, bytes, missed);
    }
    void end() override { owner_->request_end(); }
    void stray(std::uint64_t bytes) override { owner_->stray(bytes); }

   private:
    Http1Pairing* owner_;
  };
  class Responses final : public MessageEvents {
   public:
    explicit Responses(Http1Pairing& owner) : owner_(&owner) {}
    Framing head(std::string_view head, bool cut) override { return owner_->response_head(head, cut); }
    void body(std::uint64_t wire, std::span<const std::byte> bytes, std::uint64_t missed) override {
      owner_->response_body(wire, bytes, missed);
    }
    void end() override { owner_->response_end(); }
    void stray(std::uint64_t bytes) override { owner_->stray(bytes); }

   private:
    Http1Pairing* owner_;
  };

  struct Pending {
    std::unique_ptr<Exchange> exchange;
    bool is_head = false;
    bool is_connect = false;
  };

  Framing request_head(std::string_view head, bool cut);
  void request_body(std::uint64_t wire, std::span<const std::byte> bytes, std::uint64_t missed);
  void request_end();
  Framing response_head(std::string_view head, bool cut);
  Framing response_framing(const Pending& pending, const MessageFields& fields, bool cut);
  Framing switch_protocols(Pending& pending, const MessageFields& fields);
  void response_body(std::uint64_t wire, std::span<const std::byte> bytes, std::uint64_t missed);
  void response_end();
  void stray(std::uint64_t bytes);

  Pending* answered();  // the oldest request without its whole response
  void emit_front();
  void fail_all(Failure failure, BootTime time);
  void give_up_heads();
  void start_http2(bool upgraded);
  void note_gap();

  Surroundings* surroundings_;
  Direction requester_;
  Requests requests_{*this};
  Responses responses_{*this};
  Http1Side request_side_;
  Http1Side response_side_;
  std::deque<Pending> pending_;
  std::unique_ptr<Engine> http2_;  // after an upgrade, or a preface
  bool tunnel_ = false;            // CONNECT: the rest is nobody's business
  bool websocket_ = false;
  bool interim_ = false;       // the response under way is a 1xx
  bool unpaired_ = false;      // the response under way has no request
  bool synchronized_ = false;  // once a message was seen
  bool asked_;                 // no request went unseen that could still be answered
  FrameCounter up_{FrameCounter::Kind::websocket};
  FrameCounter down_{FrameCounter::Kind::websocket};
  EventCounter events_;
  // Of the piece that is being taken.
  BootTime now_;
  std::uint32_t tid_ = 0;
  BootTime request_begin_;  // when the request's first byte came
  std::uint32_t request_tid_ = 0;
  BootTime response_begin_;
  BootTime last_response_piece_;
};

}  // namespace plumb::http
