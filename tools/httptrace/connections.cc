#include "httptrace/connections.h"

#include <cerrno>
#include <cstring>

#include "http/path_template.h"

namespace plumb {
namespace {

constexpr std::string_view kLibraries[LIBRARIES] = {"", "openssl", "boringssl", "gnutls", "go"};

template <class Wire>
const Wire* view(std::span<const std::byte> record) {
  return record.size() < sizeof(Wire) ? nullptr : reinterpret_cast<const Wire*>(record.data());
}

http::Failure failure_of(std::uint32_t error) {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      return http::Failure::reset;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return http::Failure::timed_out;
    default:
      return http::Failure::closed;
  }
}

}  // namespace

std::size_t HttpConnections::Hash::operator()(const httptrace_key& key) const {
  return static_cast<std::size_t>((key.object ^ (key.since_ns << 20)) * 0x9e3779b97f4a7c15ULL >> 16);
}

HttpConnections::HttpConnections(const http::Keep& keep, const BootClock& clock, OnRequest on_request,
                                 std::size_t most)
    : clock_(&clock),
      on_request_(std::move(on_request)),
      most_(most),
      surroundings_{.sink = *this, .keep = keep} {}

HttpConnections::Connection* HttpConnections::find(const httptrace_key& key) {
  if (current_ != nullptr && Equal{}(current_->key, key)) return current_;
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  order_.splice(order_.end(), order_, found->second);
  current_ = &*found->second;
  return current_;
}

bool HttpConnections::take(std::span<const std::byte> record) {
  const auto* header = view<httptrace_header>(record);
  if (header == nullptr || header->library >= LIBRARIES || header->direction > HTTPTRACE_RECEIVED)
    return wanted_;
  now_ = {header->time_ns};
  if (header->record == HTTPTRACE_OPEN) {
    if (const auto* wire = view<httptrace_open>(record); wire != nullptr) open(*wire);
  } else if (header->record == HTTPTRACE_DATA) {
    const auto* wire = view<httptrace_data>(record);
    if (wire == nullptr || record.size() < sizeof *wire + wire->head + wire->tail) return wanted_;
    if (Connection* c = find(header->connection); c != nullptr) data(*c, *wire, record.subspan(sizeof *wire));
  } else if (header->record == HTTPTRACE_CLOSE) {
    if (const auto* wire = view<httptrace_close>(record); wire != nullptr) close(*wire);
  }
  return wanted_;
}

void HttpConnections::open(const httptrace_open& record) {
  Connection* c = find(record.header.connection);
  if (c == nullptr) {
    if (order_.size() >= most_) {
      ++given_up_;
      give_up(order_.begin(), http::Failure::lost, now_);
    }
    c = &order_.emplace_back(surroundings_);
    c->key = record.header.connection;
    by_key_.emplace(c->key, std::prev(order_.end()));
    current_ = c;
  }
  c->task = record.task;
  c->netns = record.netns;
  c->library = record.header.library;
  c->local = IpAddress::of(record.family, record.local_addr);
  c->remote = IpAddress::of(record.family, record.remote_addr);
  c->local_port = record.local_port;
  c->remote_port = record.remote_port;
}

void HttpConnections::data(Connection& c, const httptrace_data& record, std::span<const std::byte> payload) {
  const httptrace_header& header = record.header;
  if ((header.flags & HTTPTRACE_MISSED) != 0) c.conversation.missed(now_);
  const std::uint32_t captured = std::uint32_t{record.head} + record.tail;
  http::Piece piece;
  piece.time = now_;
  piece.direction = header.direction == HTTPTRACE_SENT ? http::Direction::sent : http::Direction::received;
  piece.head = payload.first(record.head);
  piece.gap = record.length > captured ? record.length - captured : 0;
  piece.tail = payload.subspan(record.head, record.tail);
  piece.first = (header.flags & HTTPTRACE_FIRST) != 0;
  piece.begins = (header.flags & HTTPTRACE_CONTINUES) == 0;
  piece.tid = header.tid;
  c.conversation.take(piece);
}

void HttpConnections::close(const httptrace_close& record) {
  const auto found = by_key_.find(record.header.connection);
  if (found == by_key_.end()) return;
  const Order::iterator at = found->second;
  current_ = &*at;
  const http::Failure failure = failure_of(record.error);
  if ((record.header.flags & HTTPTRACE_MISSED) != 0) at->conversation.missed(now_);
  if (record.end == END_SENT) {
    at->conversation.ended(http::End::sent, failure, now_);
  } else if (record.end == END_RECEIVED) {
    at->conversation.ended(http::End::received, failure, now_);
  } else {
    closed_.push_back({at->key, failure, now_});
  }
}

void HttpConnections::settle(BootTime now) {
  constexpr std::uint64_t kGrace = 100'000'000;
  while (!closed_.empty() && now.ns - kGrace > closed_.front().time.ns) {
    const Closed closed = closed_.front();
    closed_.pop_front();
    now_ = closed.time;
    const auto found = by_key_.find(closed.key);
    if (found != by_key_.end()) give_up(found->second, closed.failure, closed.time);
  }
}

void HttpConnections::give_up(Order::iterator at, http::Failure failure, BootTime time) {
  current_ = &*at;
  at->conversation.finish(failure, time);
  current_ = nullptr;
  by_key_.erase(at->key);
  order_.erase(at);
}

void HttpConnections::finish(BootTime now) {
  settle({~std::uint64_t{0}});
  now_ = now;
  while (!order_.empty()) give_up(order_.begin(), http::Failure::trace_ended, now);
}

void HttpConnections::finished(const http::Exchange& exchange, http::Role role) {
  if (!wanted_ || current_ == nullptr) return;
  const Connection& c = *current_;
  Request r;
  r.exchange = &exchange;
  r.role = role;
  r.origin.time = clock_->to_unix(exchange.response_end.ns != 0 ? exchange.response_end : now_);
  r.origin.netns = c.netns;
  if (c.task.pid != 0) {
    set_process(r.origin, c.task);
    r.origin.tid = exchange.tid;
  }
  r.tls = kLibraries[c.library];
  r.local = c.local;
  r.remote = c.remote;
  r.local_port = c.local_port;
  r.remote_port = c.remote_port;
  template_.clear();
  http::append_path_template(template_, exchange.path);
  r.path_template = template_;
  headers_.assign(exchange.headers.begin(), exchange.headers.end());
  r.headers = headers_;
  r.task = &c.task;
  wanted_ = on_request_(r);
}

}  // namespace plumb
