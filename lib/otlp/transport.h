// One HTTP request and its answer: the seam between what is sent when, and the network.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "otlp/config.h"

namespace plumb::otlp {

inline constexpr const char* kGrpcHint = "4317 is the port of gRPC; OTLP over HTTP is on 4318";

struct Response {
  unsigned status = 0;           // 0: what came is no answer of HTTP
  std::string retry_after = {};  // the header's value, empty without one
  std::string body = {};         // as it came; empty when not all of it did
  bool too_long = false;         // more than OTLP allows: 4 MiB
};

class Transport {
 public:
  virtual ~Transport() = default;
  // POSTs `body` and waits for the answer for at most `timeout_ns`. An Error: no answer came.
  virtual Result<Response> post(const std::string& body, std::int64_t timeout_ns) = 0;
};

// HTTP/1.1 with keep-alive, over TLS for https. Reads the certificates now, connects with the first post().
// An Error: a certificate or key cannot be used.
Result<std::unique_ptr<Transport>> make_http_transport(const Config& config, const std::string& content_type,
                                                       const std::string& user_agent);

// Prints what would be sent, a JSON line for each request, on standard output; bodies are those of the JSON encoding.
std::unique_ptr<Transport> make_dry_run(const Config& config, const std::string& content_type,
                                        const std::string& user_agent);

}  // namespace plumb::otlp
