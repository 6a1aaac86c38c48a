#include "http/exchange.h"

#include <string_view>
#include <utility>

namespace plumb::http {

void Exchange::clear() {
  Exchange fresh;
  for (std::string Exchange::*text :
       {&Exchange::method, &Exchange::scheme, &Exchange::host, &Exchange::path, &Exchange::query,
        &Exchange::user_agent, &Exchange::content_type, &Exchange::trace_id, &Exchange::parent_id}) {
    (fresh.*text) = std::move(this->*text);
    (fresh.*text).clear();
  }
  fresh.headers = std::move(headers);
  fresh.headers.clear();
  *this = std::move(fresh);
}

// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
std::string_view grpc_status_name(std::uint32_t code) {
  constexpr std::string_view kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return code < std::size(kNames) ? kNames[code] : std::string_view{};
}

}  // namespace plumb::http
