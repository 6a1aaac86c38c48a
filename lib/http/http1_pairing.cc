#include "http/http1_pairing.h"

#include <algorithm>
#include <charconv>

#include "http/http2_pairing.h"

namespace plumb::http {
namespace {

// More pipelined requests than this without an answer are no client's.
constexpr std::size_t kMaxPending = 1024;
constexpr std::size_t kMaxMethod = 32;

std::string_view take_line(std::string_view& text) {
  const std::size_t lf = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, lf);
  text.remove_prefix(std::min(lf + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool is_token(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_' || c == '.' || c == '!' || c == '#' || c == '$' || c == '%' || c == '&' || c == '\'' ||
           c == '*' || c == '+' || c == '^' || c == '`' || c == '|' || c == '~';
  });
}

Protocol protocol_of(std::string_view version) {
  return version == "HTTP/1.1"   ? Protocol::http11
         : version == "HTTP/1.0" ? Protocol::http10
                                 : Protocol::unknown;
}

// Calls take(name, value) for each field; lines that go on with white space are joined (RFC 9112,
// section 5.2). The last line of a head that was cut is left out, since its rest is not known.
template <class Take>
void for_each_field(std::string_view lines, bool cut, Take take) {
  std::string folded;
  while (!lines.empty()) {
    if (cut && lines.find('\n') == std::string_view::npos) return;
    const std::string_view line = take_line(lines);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    std::string_view value = trim(line.substr(colon + 1));
    if (!lines.empty() && (lines.front() == ' ' || lines.front() == '\t')) {
      folded.assign(value);
      while (!lines.empty() && (lines.front() == ' ' || lines.front() == '\t')) {
        if (!folded.empty()) folded += ' ';
        folded += trim(take_line(lines));
      }
      value = folded;
    }
    take(line.substr(0, colon), value);
  }
}

}  // namespace

Http1Pairing::Http1Pairing(Surroundings& surroundings, Direction requester, bool joined)
    : surroundings_(&surroundings),
      requester_(requester),
      asked_(!joined),
      request_side_(requests_, !joined),
      response_side_(responses_, !joined) {}

Http1Pairing::~Http1Pairing() = default;

Role Http1Pairing::role() const {
  return requester_ == Direction::sent ? Role::client : Role::server;
}

std::size_t Http1Pairing::open() const {
  return http2_ ? http2_->open() : pending_.size();
}

void Http1Pairing::take(const Piece& piece) {
  if (http2_) return http2_->take(piece);
  if (tunnel_) return;
  now_ = piece.time;
  tid_ = piece.tid;
  const bool request = piece.direction == requester_;
  Http1Side& side = request ? request_side_ : response_side_;
  if (side.between_messages() || side.adrift() || (!side.in_message() && piece.first)) {
    (request ? request_begin_ : response_begin_) = now_;
    if (request) request_tid_ = tid_;
  }
  side.take(piece.head, piece.begins, piece.ends && piece.gap == 0 && piece.tail.empty());
  side.skip(piece.gap);
  side.take(piece.tail, false, piece.ends);
  if (!request && websocket_) last_response_piece_ = now_;
}

Framing Http1Pairing::request_head(std::string_view head, bool cut) {
  std::string_view rest = head;
  const std::string_view line = take_line(rest);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  const std::string_view version =
      last == std::string_view::npos ? std::string_view{} : line.substr(last + 1);
  const BootTime begin = request_begin_;
  request_begin_ = now_;
  if (first == std::string_view::npos || first > kMaxMethod || !is_token(line.substr(0, first)) ||
      (!version.starts_with("HTTP/") && !(cut && rest.empty()))) {
    stray(head.size());
    return {Framing::Kind::invalid};
  }
  synchronized_ = true;
  if (version == "HTTP/2.0" && line.starts_with("PRI ")) {
    start_http2(false);
    return {Framing::Kind::opaque};
  }
  if (pending_.size() >= kMaxPending) {
    ++surroundings_->untold.dropped_requests;
    fail_all(Failure::lost, now_);
  }
  Pending& pending = pending_.emplace_back();
  pending.exchange = surroundings_->pool.take();
  Exchange& x = *pending.exchange;
  x.request_begin = begin;
  x.tid = request_tid_;
  x.protocol = protocol_of(version);
  x.method.assign(line.substr(0, first));
  x.incomplete = cut;
  pending.is_head = x.method == "HEAD";
  pending.is_connect = x.method == "CONNECT";
  asked_ = true;
  const std::size_t target_end = last > first ? last : line.size();
  take_target(trim(line.substr(first + 1, target_end - first - 1)), surroundings_->keep, x);
  MessageFields fields;
  for_each_field(rest, cut, [&](std::string_view name, std::string_view value) {
    take_request_field(name, value, surroundings_->keep, x, fields);
  });
  if (cut || fields.bad_length) return {Framing::Kind::unknown};
  if (fields.chunked) return {Framing::Kind::chunked};
  if (fields.content_length) return {Framing::Kind::length, *fields.content_length};
  return {Framing::Kind::none};
}

void Http1Pairing::request_body(std::uint64_t wire, std::span<const std::byte> bytes, std::uint64_t missed) {
  if (http2_) {
    Piece rest{
        .time = now_, .direction = requester_, .head = bytes, .gap = missed, .begins = false, .tid = tid_};
    return http2_->take(rest);
  }
  if (websocket_) {
    up_.take(bytes);
    up_.skip(missed);
  }
  if (!pending_.empty()) pending_.back().exchange->request_bytes += wire;
}

void Http1Pairing::request_end() {
  if (pending_.empty()) return;
  Exchange& x = *pending_.back().exchange;
  x.request_end = now_;
  x.request_ended = true;
  if (pending_.size() == 1 && x.response_ended) emit_front();
}

Http1Pairing::Pending* Http1Pairing::answered() {
  const auto found = std::find_if(pending_.begin(), pending_.end(),
                                  [](const Pending& p) { return !p.exchange->response_ended; });
  return found == pending_.end() ? nullptr : &*found;
}

Framing Http1Pairing::response_head(std::string_view head, bool cut) {
  std::string_view rest = head;
  const std::string_view line = take_line(rest);
  unsigned status = 0;
  const bool is_status_line = looks_like_response(line) && line.size() >= 12 && line[8] == ' ';
  if (is_status_line) std::from_chars(line.data() + 9, line.data() + 12, status);
  const BootTime begin = response_begin_;
  response_begin_ = now_;
  if (status < 100 || status > 999) {
    stray(head.size());
    return {Framing::Kind::invalid};
  }
  synchronized_ = true;
  Pending* pending = answered();
  // The answer to a request whose head has not ended, such as 408.
  if (pending == nullptr && asked_ && status >= 200 && request_side_.give_up_head()) pending = answered();
  interim_ = status < 200 && status != 101;
  unpaired_ = pending == nullptr;
  MessageFields fields;
  if (unpaired_) {
    if (!interim_) ++surroundings_->untold.unpaired_responses;
    const std::unique_ptr<Exchange> nobody = surroundings_->pool.take();
    for_each_field(rest, cut, [&](std::string_view name, std::string_view value) {
      take_response_field(name, value, surroundings_->keep, *nobody, fields);
    });
    Pending unknown;
    if (status == 101) request_side_.become_opaque();
    return interim_ || status == 101        ? Framing{interim_ ? Framing::Kind::none : Framing::Kind::opaque}
           : status == 204 || status == 304 ? Framing{Framing::Kind::none}
                                            : response_framing(unknown, fields, cut);
  }
  if (interim_) return {Framing::Kind::none};
  Exchange& x = *pending->exchange;
  x.status = static_cast<std::uint16_t>(status);
  x.response_begin = begin;
  if (cut) x.incomplete = true;
  if (x.protocol == Protocol::unknown) x.protocol = protocol_of(line.substr(0, 8));
  for_each_field(rest, cut, [&](std::string_view name, std::string_view value) {
    take_response_field(name, value, surroundings_->keep, x, fields);
  });
  if (x.stream == Stream::sse) events_ = {};
  last_response_piece_ = now_;
  if (status == 101) return switch_protocols(*pending, fields);
  if (pending->is_connect && status < 300) {
    tunnel_ = true;
    request_side_.become_opaque();
    response_end();
    return {Framing::Kind::opaque};
  }
  if (pending->is_head || status == 204 || status == 304) return {Framing::Kind::none};
  return response_framing(*pending, fields, cut);
}

Framing Http1Pairing::response_framing(const Pending&, const MessageFields& fields, bool cut) {
  if (cut || fields.bad_length) return {Framing::Kind::unknown};
  if (fields.chunked) return {Framing::Kind::chunked};
  if (fields.content_length) return {Framing::Kind::length, *fields.content_length};
  return {Framing::Kind::until_close};
}

Framing Http1Pairing::switch_protocols(Pending& pending, const MessageFields& fields) {
  Exchange& x = *pending.exchange;
  if (fields.h2c) {
    start_http2(true);
    return {Framing::Kind::opaque};
  }
  if (fields.websocket) {
    x.stream = Stream::websocket;
    websocket_ = true;
  }
  request_side_.become_opaque();
  return {Framing::Kind::opaque};
}

void Http1Pairing::note_gap() {
  Pending* pending = answered();
  if (pending == nullptr || pending->exchange->stream == Stream::none || now_.ns <= last_response_piece_.ns)
    return;
  const auto gap = static_cast<std::int64_t>(now_.ns - last_response_piece_.ns);
  pending->exchange->max_gap_ns = std::max(pending->exchange->max_gap_ns, gap);
  last_response_piece_ = now_;
}

void Http1Pairing::response_body(std::uint64_t wire, std::span<const std::byte> bytes, std::uint64_t missed) {
  if (http2_) {
    Piece rest{.time = now_,
               .direction = opposite(requester_),
               .head = bytes,
               .gap = missed,
               .begins = false,
               .tid = tid_};
    return http2_->take(rest);
  }
  Pending* pending = answered();
  if (pending == nullptr || unpaired_) return;
  pending->exchange->response_bytes += wire;
  note_gap();
  if (websocket_) {
    down_.take(bytes);
    down_.skip(missed);
  } else if (pending->exchange->stream == Stream::sse) {
    events_.take(bytes);
    events_.skip(missed);
  }
}

void Http1Pairing::response_end() {
  if (interim_ || unpaired_ || http2_) return;
  Pending* pending = answered();
  if (pending == nullptr) return;
  Exchange& x = *pending->exchange;
  x.response_end = now_;
  x.response_ended = true;
  if (x.stream == Stream::sse) {
    x.messages = events_.messages();
    x.messages_known = events_.known();
  }
  // A request without a known end ends with its answer.
  if (request_side_.in_message() && pending == &pending_.back() && x.incomplete) x.request_ended = true;
  while (!pending_.empty() && pending_.front().exchange->response_ended &&
         pending_.front().exchange->request_ended) {
    emit_front();
  }
}

void Http1Pairing::emit_front() {
  std::unique_ptr<Exchange> x = std::move(pending_.front().exchange);
  pending_.pop_front();
  surroundings_->sink.finished(*x, role());
  surroundings_->pool.give_back(std::move(x));
}

// Whatever is under way will not end, or nobody will see it.
void Http1Pairing::fail_all(Failure failure, BootTime time) {
  while (!pending_.empty()) {
    Exchange& x = *pending_.front().exchange;
    if (websocket_ && pending_.size() == 1) {
      x.messages = up_.messages() + down_.messages();
      x.messages_known = up_.known() && down_.known();
      x.response_end = time;
      if (failure != Failure::closed) x.failure = failure;
    } else if (!x.response_ended) {
      x.response_end = time;
      x.failure = failure;
    }
    emit_front();
  }
}

// Nobody waits for their rest any more.
void Http1Pairing::give_up_heads() {
  request_side_.give_up_head();
  response_side_.give_up_head();
}

void Http1Pairing::ended(End end, Failure failure, BootTime time) {
  if (http2_) return http2_->ended(end, failure, time);
  now_ = time;
  const End response_end = requester_ == Direction::sent ? End::received : End::sent;
  if (end == End::both || end == response_end) {
    give_up_heads();
    if (http2_) return http2_->ended(end, failure, time);  // its 101 was cut
    if (failure == Failure::closed) response_side_.finish();
    fail_all(failure, time);
  }
}

void Http1Pairing::missed(BootTime time) {
  if (http2_) return http2_->missed(time);
  now_ = time;
  if (!websocket_) {
    give_up_heads();
    if (http2_) return http2_->missed(time);
    fail_all(Failure::lost, time);
    asked_ = false;
  }
  if (websocket_) {
    up_.skip(~0ULL);
    return;
  }
  request_side_.lose();
  response_side_.lose();
}

void Http1Pairing::stray(std::uint64_t bytes) {
  if (synchronized_) surroundings_->untold.stray_bytes += bytes;
}

void Http1Pairing::start_http2(bool upgraded) {
  auto http2 = std::make_unique<Http2Pairing>(*surroundings_, requester_, true, false, upgraded);
  if (upgraded) {
    Pending* pending = answered();
    pending->exchange->status = 0;
    http2->adopt(std::move(pending->exchange));
    pending_.clear();
  }
  http2_ = std::move(http2);
}

}  // namespace plumb::http
