#include "http/http2_pairing.h"

#include <algorithm>
#include <charconv>

namespace plumb::http {
namespace {

// More streams at one time than any peer allows (the usual limit is 100 to 250).
constexpr std::size_t kMaxStreams = 4096;

Http2Side::Start start_of(bool client, bool joined, bool upgraded) {
  if (joined) return Http2Side::Start::joined;
  if (!client) return Http2Side::Start::frames;
  return upgraded ? Http2Side::Start::preface : Http2Side::Start::preface_rest;
}

}  // namespace

Http2Pairing::Http2Pairing(Surroundings& surroundings, Direction requester, bool requester_known, bool joined,
                           bool upgraded)
    : surroundings_(&surroundings),
      requester_(requester),
      requester_known_(requester_known),
      joined_(joined),
      sent_side_(sent_, start_of(requester == Direction::sent, joined, upgraded)),
      received_side_(received_, start_of(requester == Direction::received, joined, upgraded)) {}

Http2Pairing::~Http2Pairing() = default;

Role Http2Pairing::role() const {
  if (!requester_known_) return Role::unknown;
  return requester_ == Direction::sent ? Role::client : Role::server;
}

void Http2Pairing::adopt(std::unique_ptr<Exchange> exchange) {
  Open& open = streams_[1];
  open.exchange = std::move(exchange);
  open.exchange->protocol = Protocol::http2;
  open.request_seen = true;
}

void Http2Pairing::take(const Piece& piece) {
  now_ = piece.time;
  tid_ = piece.tid;
  Http2Side& side = piece.direction == Direction::sent ? sent_side_ : received_side_;
  side.take(piece.head, piece.begins);
  side.skip(piece.gap);
  side.take(piece.tail, false);
}

Http2Pairing::Open* Http2Pairing::open_stream(std::uint32_t stream) {
  const auto found = streams_.find(stream);
  if (found != streams_.end()) return &found->second;
  if (streams_.size() >= kMaxStreams) {
    ++surroundings_->untold.dropped_requests;
    return nullptr;
  }
  Open& open = streams_[stream];
  open.exchange = surroundings_->pool.take();
  open.exchange->protocol = Protocol::http2;
  return &open;
}

void Http2Pairing::headers_begin(Direction direction, std::uint32_t stream, std::uint32_t promised) {
  block_direction_ = direction;
  block_promised_ = promised != 0;
  block_stream_ = block_promised_ ? promised : stream;
  block_fields_ = {};
  const auto found = streams_.find(block_stream_);
  const bool known = found != streams_.end();
  block_trailers_ = requester_known_ && known && !block_promised_ &&
                    (is_request(direction) ? found->second.request_seen : found->second.response_seen);
  // A block of a stream that was never seen, from the answering side: its request is older than the trace, or
  // was answered and told already.
  block_ = open_stream(block_stream_);
  if (block_ != nullptr && block_promised_) block_->exchange->pushed = true;
}

void Http2Pairing::learn_requester(bool sender_requests) {
  if (requester_known_) return;
  requester_known_ = true;
  requester_ = sender_requests ? block_direction_ : opposite(block_direction_);
}

bool Http2Pairing::pseudo_header(std::string_view name, std::string_view value) {
  if (!name.starts_with(':')) return false;
  Exchange& x = *block_->exchange;
  if (name == ":status") {
    learn_requester(false);
    unsigned status = 0;
    std::from_chars(value.data(), value.data() + value.size(), status);
    if (status >= 100 && status <= 999) x.status = static_cast<std::uint16_t>(status);
    return true;
  }
  if (name == ":method" && !block_promised_) learn_requester(true);
  constexpr std::size_t kMost = 1024;
  if (name == ":method") x.method.assign(value.substr(0, 32));
  if (name == ":scheme") x.scheme.assign(value.substr(0, 16));
  if (name == ":authority") x.host.assign(value.substr(0, kMost));
  if (name == ":path") take_path(value, surroundings_->keep, x);
  return true;
}

void Http2Pairing::header(std::string_view name, std::string_view value) {
  if (block_ == nullptr) return;
  if (name == Hpack::kUnknownName) {
    block_->exchange->incomplete = true;
    return;
  }
  if (pseudo_header(name, value)) return;
  if (block_promised_ || (requester_known_ && is_request(block_direction_))) {
    take_request_field(name, value, surroundings_->keep, *block_->exchange, block_fields_);
  } else if (requester_known_) {
    take_response_field(name, value, surroundings_->keep, *block_->exchange, block_fields_);
  }
}

void Http2Pairing::headers_done(bool whole) {
  if (block_ == nullptr) return;
  Open& open = *block_;
  block_ = nullptr;
  Exchange& x = *open.exchange;
  if (!whole) x.incomplete = true;
  if (!requester_known_) {  // nothing told who asks; a stream whose beginning is unclear is not told
    streams_.erase(block_stream_);
    return;
  }
  if (block_promised_ || is_request(block_direction_)) {
    if (block_trailers_) return;
    open.request_seen = true;
    x.request_begin = now_;
    x.tid = tid_;
    if (block_promised_) {
      x.request_end = now_;
      x.request_ended = true;
    }
    return;
  }
  if (block_trailers_) return;
  if (x.status >= 100 && x.status < 200) {
    x.status = 0;
    return;
  }
  open.response_seen = true;
  x.response_begin = open.last_response_piece = now_;
}

void Http2Pairing::note_gap(Open& open) {
  Exchange& x = *open.exchange;
  if (x.stream != Stream::none && now_.ns > open.last_response_piece.ns && open.last_response_piece.ns != 0) {
    x.max_gap_ns = std::max(x.max_gap_ns, static_cast<std::int64_t>(now_.ns - open.last_response_piece.ns));
  }
  open.last_response_piece = now_;
}

void Http2Pairing::data(Direction direction, std::uint32_t stream, std::span<const std::byte> bytes,
                        std::uint64_t missed) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !requester_known_) return;
  Open& open = found->second;
  Exchange& x = *open.exchange;
  const std::uint64_t n = bytes.size() + missed;
  if (is_request(direction)) {
    x.request_bytes += n;
    if (x.stream != Stream::grpc) return;
    open.up.take(bytes);
    open.up.skip(missed);
    return;
  }
  x.response_bytes += n;
  note_gap(open);
  if (x.stream == Stream::grpc) {
    open.down.take(bytes);
    open.down.skip(missed);
  } else if (x.stream == Stream::sse) {
    open.events.take(bytes);
    open.events.skip(missed);
  }
}

void Http2Pairing::stream_end(Direction direction, std::uint32_t stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !requester_known_) return;
  Exchange& x = *found->second.exchange;
  if (is_request(direction)) {
    x.request_end = now_;
    x.request_ended = true;
  } else {
    x.response_end = now_;
    x.response_ended = true;
    note_gap(found->second);
  }
  // gRPC's status ends a call, whether the client is done or not.
  if (x.response_ended && (x.request_ended || x.stream == Stream::grpc)) emit(found);
}

void Http2Pairing::stream_reset(std::uint32_t stream, std::uint32_t) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  fail(found, Failure::reset);
}

// RFC 9113, section 6.8: streams of the receiver's that are above were not and will not be looked at.
void Http2Pairing::goaway(Direction direction, std::uint32_t last_stream) {
  if (!requester_known_ || is_request(direction)) return;
  std::vector<std::uint32_t> above;
  for (const auto& [stream, open] : streams_) {
    if (stream > last_stream && stream % 2 == 1) above.push_back(stream);
  }
  std::sort(above.begin(), above.end());
  for (const std::uint32_t stream : above) fail(streams_.find(stream), Failure::closed);
}

void Http2Pairing::emit(Streams::iterator at) {
  Open& open = at->second;
  Exchange& x = *open.exchange;
  const bool told = open.request_seen;
  if (x.stream == Stream::grpc) {
    x.messages = open.up.messages() + open.down.messages();
    x.messages_known = open.up.known() && open.down.known();
  } else if (x.stream == Stream::sse) {
    x.messages = open.events.messages();
    x.messages_known = open.events.known();
  }
  if (told) {
    surroundings_->sink.finished(x, role());
  } else if (open.response_seen) {
    ++surroundings_->untold.unpaired_responses;
  }
  surroundings_->pool.give_back(std::move(open.exchange));
  streams_.erase(at);
}

void Http2Pairing::fail(Streams::iterator at, Failure failure) {
  Exchange& x = *at->second.exchange;
  if (!x.response_ended) {
    x.response_end = now_;
    x.failure = failure;
  }
  emit(at);
}

void Http2Pairing::fail_all(Failure failure) {
  std::vector<std::uint32_t> all;
  for (const auto& [stream, open] : streams_) all.push_back(stream);
  std::sort(all.begin(), all.end());
  for (const std::uint32_t stream : all) fail(streams_.find(stream), failure);
}

void Http2Pairing::frames_lost() {
  fail_all(Failure::lost);
}

void Http2Pairing::ended(End end, Failure failure, BootTime time) {
  now_ = time;
  const End response_end = requester_ == Direction::sent ? End::received : End::sent;
  if (end != End::both && end != response_end) return;
  give_up_blocks();
  fail_all(failure);
}

void Http2Pairing::give_up_blocks() {
  sent_side_.give_up_block();
  received_side_.give_up_block();
}

void Http2Pairing::missed(BootTime time) {
  now_ = time;
  give_up_blocks();
  // Which frames are gone is not known, so neither side can be trusted to be at the beginning of one.
  fail_all(Failure::lost);
  sent_side_ = Http2Side(sent_, Http2Side::Start::joined);
  received_side_ = Http2Side(received_, Http2Side::Start::joined);
}

}  // namespace plumb::http
