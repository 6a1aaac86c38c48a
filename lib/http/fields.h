// The header fields that matter, of any version of HTTP: into an Exchange, and how the body is framed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace plumb::http {

// What to keep beyond the usual.
struct Keep {
  // Lower case. Those of kNeverKept are dropped by allow_header().
  std::vector<std::string> headers;
  bool query = true;
};

// Whether --header may name it: not Authorization, Cookie, Set-Cookie, Proxy-Authorization.
bool may_keep_header(std::string_view lower_case_name);

// What the fields of one message say about its framing.
struct MessageFields {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool bad_length = false;  // two different lengths, or none that is a number
  bool websocket = false;   // Upgrade: websocket
  bool h2c = false;         // Upgrade: h2c
};

void take_request_field(std::string_view name, std::string_view value, const Keep& keep, Exchange& exchange,
                        MessageFields& fields);
void take_response_field(std::string_view name, std::string_view value, const Keep& keep, Exchange& exchange,
                         MessageFields& fields);

// Splits a request target (RFC 9112, section 3.2) into scheme, host, path and query.
void take_target(std::string_view target, const Keep& keep, Exchange& exchange);
// The same for HTTP/2's :path.
void take_path(std::string_view path, const Keep& keep, Exchange& exchange);

// traceparent of W3C Trace Context, version 00 and later ones that begin like it. False: it is none.
bool take_traceparent(std::string_view value, Exchange& exchange);

bool equals_ignoring_case(std::string_view text, std::string_view lower_case);

}  // namespace plumb::http
