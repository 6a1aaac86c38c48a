// Connections for tests of lib/http: what each side says, in order, and what comes out of it as text.
#pragma once

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "http/conversation.h"

namespace doctest {
template <>
struct StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string out;
    for (const std::string& line : lines) out += "\n    " + line;
    return out.c_str();
  }
};
}  // namespace doctest

namespace plumb::http {

struct Said {
  Direction direction;
  std::string bytes;
  std::uint64_t gap = 0;  // after `bytes`
  std::string tail = {};
};

inline std::span<const std::byte> as_bytes(std::string_view s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}

// "server GET /a?b 200 body 0/5 h2 ..." of each exchange, with times left out.
class Collector final : public ExchangeSink {
 public:
  void finished(const Exchange& x, Role role) override {
    last = x;
    std::string line = role == Role::client ? "client" : role == Role::server ? "server" : "unknown";
    line += " " + (x.method.empty() ? "-" : x.method) + " " + x.path + (x.query.empty() ? "" : "?" + x.query);
    line += " " + (x.status == 0 ? "-" : std::to_string(x.status));
    line += " " + std::to_string(x.request_bytes) + "/" + std::to_string(x.response_bytes);
    if (x.protocol == Protocol::http2) line += " h2";
    if (x.protocol == Protocol::http10) line += " 1.0";
    if (x.stream == Stream::sse) line += " sse";
    if (x.stream == Stream::grpc) line += " grpc";
    if (x.stream == Stream::websocket) line += " websocket";
    if (x.stream != Stream::none)
      line += " messages " + (x.messages_known ? std::to_string(x.messages) : "?");
    if (x.grpc_status) line += " " + std::string(grpc_status_name(*x.grpc_status));
    if (!x.host.empty()) line += " host " + x.host;
    if (x.pushed) line += " pushed";
    if (x.incomplete) line += " incomplete";
    constexpr const char* kFailures[] = {"", " reset", " closed", " timed_out", " trace_ended", " lost"};
    line += kFailures[static_cast<int>(x.failure)];
    lines.push_back(line);
  }
  std::vector<std::string> lines;
  Exchange last;
};

struct Heard {
  std::vector<std::string> lines;
  Untold untold;
  Exchange last;
};

// Feeds a conversation in pieces of at most `size` bytes, then ends it as `end`. `first`: from its beginning.
inline Heard hear(const std::vector<Said>& said, std::size_t size = SIZE_MAX, bool first = true,
                  Failure end = Failure::closed, const Keep& keep = {}) {
  Collector collector;
  Surroundings surroundings{.sink = collector, .keep = keep};
  Conversation conversation(surroundings);
  std::uint64_t now = 1000;
  bool begun[2] = {!first, !first};
  for (const Said& s : said) {
    std::string_view rest = s.bytes;
    do {
      Piece p;
      p.time = {now += 1000};
      p.direction = s.direction;
      p.head = as_bytes(rest.substr(0, size));
      p.begins = rest.size() == s.bytes.size();
      rest.remove_prefix(p.head.size());
      p.ends = rest.empty();
      if (rest.empty()) {
        p.gap = s.gap;
        p.tail = as_bytes(s.tail);
      }
      p.first = !std::exchange(begun[static_cast<int>(s.direction)], true);
      conversation.take(p);
    } while (!rest.empty());
  }
  if (end != Failure::none) conversation.ended(End::both, end, {now + 1000});
  return {collector.lines, surroundings.untold, collector.last};
}

// Evaluated from left to right, as HPACK needs it; operands of + are not.
inline std::string joined(std::initializer_list<std::string> parts) {
  std::string out;
  for (const std::string& part : parts) out += part;
  return out;
}

// One endpoint's HTTP/2 frames.
class H2Writer {
 public:
  H2Writer() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  ~H2Writer() { nghttp2_hd_deflate_del(deflater_); }
  H2Writer(const H2Writer&) = delete;

  static std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
    std::string out;
    const auto n = payload.size();
    out += {static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n),
            static_cast<char>(type), static_cast<char>(flags)};
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift);
    out += payload;
    return out;
  }
  using Fields = std::vector<std::pair<std::string, std::string>>;
  std::string block(const Fields& fields) {
    std::vector<nghttp2_nv> nvs;
    for (const auto& [name, value] : fields) {
      nvs.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                     reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                     value.size(), 0});
    }
    std::string out(4096, '\0');
    const auto n = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                         nvs.data(), nvs.size());
    out.resize(static_cast<std::size_t>(n));
    return out;
  }
  std::string headers(std::uint32_t stream, const Fields& fields, bool end_stream) {
    return frame(1, 4 | (end_stream ? 1 : 0), stream, block(fields));
  }
  static std::string data(std::uint32_t stream, std::string_view payload, bool end_stream) {
    return frame(0, end_stream ? 1 : 0, stream, payload);
  }
  static std::string settings() { return frame(4, 0, 0, {}); }
  static std::string ack() { return frame(4, 1, 0, {}); }
  static std::string preface() { return std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + settings(); }
  std::string get(std::uint32_t stream, const std::string& path) {
    return headers(
        stream,
        {{":method", "GET"}, {":scheme", "http"}, {":path", path}, {":authority", "h"}, {"x-n", path}}, true);
  }
  std::string ok(std::uint32_t stream, bool end_stream = false) {
    return headers(stream, {{":status", "200"}, {"content-type", "text/plain"}, {"x-s", "some value"}},
                   end_stream);
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

}  // namespace plumb::http
