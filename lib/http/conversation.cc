#include "http/conversation.h"

#include <algorithm>

#include "http/http1_pairing.h"
#include "http/http2_pairing.h"

namespace plumb::http {
namespace {

// What is kept until the protocol is known: a few pieces that are shorter than what tells.
constexpr std::size_t kMaxEarly = 64;
// Beyond this many bytes nothing else tells; the longest method is shorter.
constexpr std::size_t kEnough = 24;
constexpr std::size_t kMaxIdle = 4096;
constexpr std::byte kSettings{4};

}  // namespace

std::unique_ptr<Exchange> ExchangePool::take() {
  if (idle_.empty()) return std::make_unique<Exchange>();
  std::unique_ptr<Exchange> x = std::move(idle_.back());
  idle_.pop_back();
  return x;
}

void ExchangePool::give_back(std::unique_ptr<Exchange> exchange) {
  if (!exchange || idle_.size() >= kMaxIdle) return;
  exchange->clear();
  idle_.push_back(std::move(exchange));
}

Conversation::~Conversation() = default;

Role Conversation::role() const {
  return engine_ ? engine_->role() : Role::unknown;
}
std::size_t Conversation::open() const {
  return engine_ ? engine_->open() : 0;
}

void Conversation::start_http2(Direction requester, bool requester_known, bool joined) {
  engine_ = std::make_unique<Http2Pairing>(*surroundings_, requester, requester_known, joined, true);
}

// Chooses the engine by the beginning of one direction, or of a call in it. True: it is decided.
bool Conversation::decide(Direction direction, std::span<const std::byte> prefix, bool first) {
  std::string_view text(reinterpret_cast<const char*>(prefix.data()), prefix.size());
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  if (text.starts_with("PRI ")) {
    start_http2(direction, true, false);
  } else if (looks_like_request(text)) {
    engine_ = std::make_unique<Http1Pairing>(*surroundings_, direction, !first);
  } else if (looks_like_response(text)) {
    engine_ = std::make_unique<Http1Pairing>(*surroundings_, opposite(direction), true);
  } else if (looks_like_frame(prefix)) {
    const bool servers_first = first && prefix[3] == kSettings;
    start_http2(opposite(direction), servers_first, !servers_first);
  } else {
    return false;
  }
  return true;
}

void Conversation::give_to_engine(const Piece& piece) {
  engine_->take(piece);
}

void Conversation::keep_early(const Piece& piece) {
  Early& early = early_.emplace_back();
  early.bytes.assign(piece.head.begin(), piece.head.end());
  early.bytes.insert(early.bytes.end(), piece.tail.begin(), piece.tail.end());
  early.piece = piece;
}

void Conversation::take(const Piece& piece) {
  if (engine_) return give_to_engine(piece);
  if (foreign_) return;
  const auto earlier = [&](const Early& e) { return e.piece.direction == piece.direction; };
  const bool continues = std::any_of(early_.begin(), early_.end(), earlier);
  if (!continues) {
    if (decide(piece.direction, piece.head, piece.first)) {
      // What the other direction brought before.
      for (Early& early : early_) {
        early.piece.head = std::span(early.bytes).first(early.piece.head.size());
        early.piece.tail = std::span(early.bytes).subspan(early.piece.head.size());
        engine_->take(early.piece);
      }
      early_.clear();
      return give_to_engine(piece);
    }
  }
  // Too short to tell? Only what begins a direction can be waited for.
  const bool from_beginning = piece.first || std::any_of(early_.begin(), early_.end(), [&](const Early& e) {
                                return earlier(e) && e.piece.first;
                              });
  if (!from_beginning) return;
  keep_early(piece);
  std::vector<std::byte> prefix;
  for (const Early& early : early_) {
    if (early.piece.direction != piece.direction) continue;
    prefix.insert(prefix.end(), early.bytes.begin(), early.bytes.end());
    if (early.piece.gap > 0) break;
  }
  if (decide(piece.direction, prefix, true)) {
    for (Early& early : early_) {
      early.piece.head = std::span(early.bytes).first(early.piece.head.size());
      early.piece.tail = std::span(early.bytes).subspan(early.piece.head.size());
      engine_->take(early.piece);
    }
    early_.clear();
    return;
  }
  if (prefix.size() >= kEnough || early_.size() > kMaxEarly) {
    foreign_ = true;
    early_.clear();
  }
}

void Conversation::ended(End end, Failure failure, BootTime time) {
  if (engine_) engine_->ended(end, failure, time);
}

void Conversation::missed(BootTime time) {
  early_.clear();
  if (engine_) engine_->missed(time);
}

}  // namespace plumb::http
