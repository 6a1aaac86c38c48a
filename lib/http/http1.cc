#include "http/http1.h"

#include <algorithm>
#include <cstring>

namespace plumb::http {
namespace {

// The registered methods of RFC 9110 and WebDAV's, which proxies and file servers see.
constexpr std::string_view kMethods[] = {
    "GET ",   "POST ",   "PUT ",    "HEAD ",   "DELETE ",    "PATCH ",     "OPTIONS ",    "CONNECT ",
    "TRACE ", "PRI ",    "LOCK ",   "UNLOCK ", "PROPFIND ",  "PROPPATCH ", "MKCOL ",      "COPY ",
    "MOVE ",  "REPORT ", "SEARCH ", "PURGE ",  "SUBSCRIBE ", "NOTIFY ",    "MKCALENDAR ", "UNSUBSCRIBE "};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Where the head ends: after the empty line; npos: not in `text`. Lines end with LF, CR before it is
// optional.
std::size_t head_end(std::string_view text, std::size_t from) {
  while (true) {
    const std::size_t lf = text.find('\n', from);
    if (lf == std::string_view::npos) return lf;
    if (lf + 1 < text.size() && text[lf + 1] == '\n') return lf + 2;
    if (lf + 2 < text.size() && text[lf + 1] == '\r' && text[lf + 2] == '\n') return lf + 3;
    from = lf + 1;
  }
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool looks_like_request(std::string_view text) {
  return std::any_of(std::begin(kMethods), std::end(kMethods),
                     [&](std::string_view method) { return text.starts_with(method); });
}

bool looks_like_response(std::string_view text) {
  return text.size() >= 8 && text.starts_with("HTTP/1.") && text[7] >= '0' && text[7] <= '1';
}

void Http1Side::message_done() {
  state_ = State::start;
  events_->end();
}

void Http1Side::lose() {
  head_.clear();
  state_ = State::adrift;
}

bool Http1Side::give_up_head() {
  if (state_ != State::start || head_.empty()) return false;
  const std::string whole = std::move(head_);
  head_.clear();
  head_complete(whole, true);
  return true;
}

void Http1Side::begin_body(const Framing& framing) {
  remaining_ = framing.length;
  chunked_ = false;
  switch (framing.kind) {
    case Framing::Kind::none:
      return message_done();
    case Framing::Kind::length:
      if (remaining_ == 0) return message_done();
      state_ = State::length;
      return;
    case Framing::Kind::chunked:
      state_ = State::chunk_size;
      digits_ = 0;
      chunked_ = true;
      return;
    case Framing::Kind::until_close:
      state_ = State::until_close;
      return;
    case Framing::Kind::opaque:
      state_ = State::opaque;
      return;
    case Framing::Kind::unknown:
      state_ = State::guess;
      return;
    case Framing::Kind::invalid:
      return lose();
  }
}

void Http1Side::head_complete(std::string_view head, bool cut) {
  state_ = State::until_close;  // events may ask where we are
  begin_body(events_->head(head, cut));
}

// Takes bytes of a head; returns how many.
std::size_t Http1Side::take_head(std::string_view text) {
  std::size_t used = 0;
  if (head_.empty()) {  // a server should ignore empty lines before a request (RFC 9112, section 2.2)
    while (used < text.size() && (text[used] == '\r' || text[used] == '\n')) ++used;
    if (used == text.size()) return used;
    const std::size_t end = head_end(text, used);
    if (end != std::string_view::npos) {
      head_complete(text.substr(used, end - used), false);
      return end;
    }
  }
  const std::size_t before = head_.size();
  const std::size_t room = kMaxHead - std::min(kMaxHead, before);
  const std::string_view more = text.substr(used, room);
  head_ += more;
  const std::size_t end = head_end(head_, before < 2 ? 0 : before - 2);
  if (end == std::string_view::npos) {
    if (head_.size() < kMaxHead) return used + more.size();
    const std::string whole = std::move(head_);
    head_.clear();
    head_complete(whole, true);
    return used + more.size();
  }
  used += end - before;
  std::string whole = std::move(head_);
  head_.clear();
  head_complete(std::string_view(whole).substr(0, end), false);
  if (head_.empty()) {  // keep the memory
    whole.clear();
    head_ = std::move(whole);
  }
  return used;
}

void Http1Side::chunk_size_done() {
  if (remaining_ == 0) {
    state_ = State::trailer;
    trailer_line_ = 0;
  } else {
    state_ = State::chunk_data;
  }
  digits_ = 0;
}

void Http1Side::take_chunk_size(char c) {
  const int digit = hex(c);
  if (digit >= 0 && digits_ < 15) {
    remaining_ = digits_ == 0 ? static_cast<std::uint64_t>(digit)
                              : remaining_ * 16 + static_cast<std::uint64_t>(digit);
    ++digits_;
  } else if (digits_ > 0 && c == '\n') {
    chunk_size_done();
  } else if (digits_ > 0 && (c == ';' || c == '\r' || c == ' ' || c == '\t')) {
    state_ = State::chunk_extension;
  } else {
    state_ = State::guess;
  }
}

void Http1Side::take_trailer(char c) {
  if (c == '\n') {
    if (trailer_line_ == 0) return message_done();
    trailer_line_ = 0;
  } else if (c != '\r' || trailer_line_ > 0) {
    ++trailer_line_;
  }
}

// Takes bytes of a chunked body up to its end or the end of `bytes`; returns how many.
std::size_t Http1Side::take_chunked(std::span<const std::byte> bytes) {
  if (state_ == State::chunk_data) {
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
    remaining_ -= n;
    if (remaining_ == 0) state_ = State::chunk_end;
    events_->body(n, bytes.first(n), 0);
    return n;
  }
  const char c = static_cast<char>(bytes.front());
  events_->body(1, {}, 0);
  switch (state_) {
    case State::chunk_size:
      take_chunk_size(c);
      break;
    case State::chunk_extension:
      if (c == '\n') chunk_size_done();
      break;
    case State::chunk_end:
      if (c == '\n') {
        state_ = State::chunk_size;
      } else if (c != '\r') {
        state_ = State::guess;
      }
      break;
    default:
      take_trailer(c);
      break;
  }
  return 1;
}

void Http1Side::take(std::span<const std::byte> bytes, bool begins, bool ends) {
  const auto starts_here = [&] {
    return begins && (looks_like_request(as_text(bytes)) || looks_like_response(as_text(bytes)));
  };
  if (state_ == State::adrift && starts_here()) state_ = State::start;
  if (state_ == State::guess && starts_here()) message_done();
  const std::span<const std::byte> whole = bytes;
  while (!bytes.empty()) {
    std::size_t used = bytes.size();
    switch (state_) {
      case State::start:
        used = take_head(as_text(bytes));
        break;
      case State::length:
        used = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, used));
        remaining_ -= used;
        events_->body(used, bytes.first(used), 0);
        if (remaining_ == 0) message_done();
        break;
      case State::chunk_size:
      case State::chunk_extension:
      case State::chunk_data:
      case State::chunk_end:
      case State::trailer:
        used = take_chunked(bytes);
        break;
      case State::until_close:
      case State::opaque:
        events_->body(used, bytes, 0);
        break;
      case State::guess:
        events_->body(used, {}, used);
        break;
      case State::adrift:
        events_->stray(used);
        break;
    }
    bytes = bytes.subspan(used);
  }
  // The last chunk is empty and ends the message; a call that ends with it ends the message almost certainly.
  if (state_ == State::guess && chunked_ && ends && as_text(whole).ends_with("0\r\n\r\n")) message_done();
}

void Http1Side::skip(std::uint64_t n) {
  if (n == 0) return;
  switch (state_) {
    case State::start:
      if (head_.empty()) {  // whole messages may be gone
        state_ = State::adrift;
        events_->stray(n);
        return;
      }
      give_up_head();
      if (state_ == State::guess) events_->body(n, {}, n);
      return;
    case State::length: {
      const std::uint64_t part = std::min(n, remaining_);
      remaining_ -= part;
      events_->body(part, {}, part);
      if (remaining_ == 0) message_done();
      if (n > part) skip(n - part);
      return;
    }
    case State::chunk_data: {
      const std::uint64_t part = std::min(n, remaining_);
      remaining_ -= part;
      events_->body(part, {}, part);
      if (remaining_ == 0) state_ = State::chunk_end;
      if (n > part) skip(n - part);
      return;
    }
    case State::chunk_size:
    case State::chunk_extension:
    case State::chunk_end:
    case State::trailer:
      state_ = State::guess;
      events_->body(n, {}, n);
      return;
    case State::until_close:
    case State::opaque:
    case State::guess:
      events_->body(n, {}, n);
      return;
    case State::adrift:
      events_->stray(n);
      return;
  }
}

void Http1Side::finish() {
  if (state_ == State::until_close) message_done();
}

}  // namespace plumb::http
