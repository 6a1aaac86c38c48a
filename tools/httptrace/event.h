// The event of httptrace: one request with its response, whose it is and between which ends.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "bpf/task.h"
#include "event/field.h"
#include "http/conversation.h"
#include "httptrace/wire.h"
#include "run/origin.h"

namespace plumb {

struct Request {
  const http::Exchange* exchange = nullptr;
  http::Role role = http::Role::unknown;
  Origin origin;         // its time is when the exchange ended
  std::string_view tls;  // the library; empty: none
  IpAddress local;
  IpAddress remote;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::string_view path_template;
  TextList headers;
  const task_identity* task = nullptr;  // of the owner; pid 0: not known

  // -1: not known.
  std::int64_t latency_ns() const;
  std::int64_t ttfb_ns() const;
  std::string_view scheme() const;
};

extern const Schema kRequestSchema;

}  // namespace plumb
