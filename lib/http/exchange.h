// One request and its response, as the two byte streams of a connection told them. What is not known is
// empty, nullopt or 0 as said here; nothing is invented.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace plumb::http {

enum class Protocol : std::uint8_t { unknown, http10, http11, http2 };

// What runs over an exchange for longer than one response takes.
enum class Stream : std::uint8_t { none, sse, grpc, websocket };

// Why there is no whole response.
enum class Failure : std::uint8_t {
  none,
  reset,        // TCP reset, or RST_STREAM
  closed,       // the connection ended, or GOAWAY left the stream out
  timed_out,    // TCP gave up
  trace_ended,  // still going on when the trace ended
  lost,         // bytes of it were not captured, so that its end cannot be told
};

struct Exchange {
  Protocol protocol = Protocol::unknown;
  Stream stream = Stream::none;
  Failure failure = Failure::none;
  bool incomplete =
      false;  // something that was on the wire is missing here: headers cut, HPACK entries unknown
  bool request_ended = false;
  bool response_ended = false;
  bool pushed = false;  // a server's push: the "request" is its promise

  // 0: not seen. The first and last byte of each, as the system calls told them.
  BootTime request_begin;
  BootTime request_end;
  BootTime response_begin;
  BootTime response_end;  // without a whole response: when it failed

  std::uint64_t request_bytes = 0;  // bodies as they are on the wire: with chunk sizes, without HTTP/2 frames
  std::uint64_t response_bytes = 0;
  std::uint32_t tid = 0;  // of the thread that read or wrote the request's beginning

  std::uint8_t trace_flags = 0;  // of the traceparent header: bit 0 is sampled
  std::uint16_t status = 0;      // 0: no response, or unknown
  std::optional<std::uint32_t> grpc_status;
  std::uint64_t messages = 0;  // of `stream`, both directions
  bool messages_known = false;
  std::int64_t max_gap_ns = -1;  // between two pieces of what the server sent; -1: fewer than two

  // Raw bytes from outside, bounded; empty: not there.
  std::string method;
  std::string scheme;
  std::string host;
  std::string path;
  std::string query;  // without '?', secrets redacted
  std::string user_agent;
  std::string content_type;          // of the response; of the request when the response has none
  std::string trace_id;              // 32 hex digits, lower case
  std::string parent_id;             // 16
  std::vector<std::string> headers;  // "name: value", those that were asked for

  // Makes it new, and keeps the memory of its texts.
  void clear();
};

// "OK" for 0, "DEADLINE_EXCEEDED" for 4; empty for what is no gRPC status.
std::string_view grpc_status_name(std::uint32_t code);

}  // namespace plumb::http
