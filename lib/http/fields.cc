#include "http/fields.h"

#include <algorithm>
#include <charconv>

#include "http/redact.h"

namespace plumb::http {
namespace {

constexpr std::size_t kMaxTarget = 16384;
constexpr std::size_t kMaxValue = 1024;
constexpr std::size_t kMaxKept = 32;  // fields under --header in one exchange

constexpr std::string_view kNeverKept[] = {"authorization", "cookie", "set-cookie", "proxy-authorization"};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

void assign(std::string& to, std::string_view value, Exchange& exchange, std::size_t most = kMaxValue) {
  if (value.size() > most) {
    value = value.substr(0, most);
    exchange.incomplete = true;
  }
  to.assign(value);
}

bool contains_token(std::string_view list, std::string_view lower_case) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, comma);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (equals_ignoring_case(item, lower_case)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

void take_length(std::string_view value, MessageFields& fields) {
  // A list of equal lengths is one length (RFC 9110, section 8.6).
  while (!value.empty()) {
    std::string_view item = value.substr(0, value.find(','));
    value.remove_prefix(std::min(item.size() + 1, value.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    std::uint64_t n = 0;
    const auto [end, status] = std::from_chars(item.data(), item.data() + item.size(), n);
    if (status != std::errc{} || end != item.data() + item.size() || item.empty() ||
        (fields.content_length && *fields.content_length != n)) {
      fields.bad_length = true;
      return;
    }
    fields.content_length = n;
  }
}

void keep_header(std::string_view name, std::string_view value, const Keep& keep, Exchange& exchange) {
  for (const std::string& wanted : keep.headers) {
    if (!equals_ignoring_case(name, wanted)) continue;
    if (exchange.headers.size() >= kMaxKept) {
      exchange.incomplete = true;
      return;
    }
    std::string& line = exchange.headers.emplace_back(wanted);
    line += ": ";
    if (value.size() > kMaxValue) exchange.incomplete = true;
    line += value.substr(0, kMaxValue);
  }
}

void take_framing(std::string_view name, std::string_view value, MessageFields& fields) {
  switch (name.size()) {
    case 7:
      if (equals_ignoring_case(name, "upgrade")) {
        if (contains_token(value, "websocket")) fields.websocket = true;
        if (contains_token(value, "h2c")) fields.h2c = true;
      }
      break;
    case 14:
      if (equals_ignoring_case(name, "content-length")) take_length(value, fields);
      break;
    case 17:
      if (equals_ignoring_case(name, "transfer-encoding")) fields.chunked = contains_token(value, "chunked");
      break;
    default:
      break;
  }
}

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_case[i]) return false;
  }
  return true;
}

bool may_keep_header(std::string_view lower_case_name) {
  return std::find(std::begin(kNeverKept), std::end(kNeverKept), lower_case_name) == std::end(kNeverKept);
}

void take_request_field(std::string_view name, std::string_view value, const Keep& keep, Exchange& exchange,
                        MessageFields& fields) {
  take_framing(name, value, fields);
  switch (name.size()) {
    case 4:
      if (equals_ignoring_case(name, "host") && exchange.host.empty()) assign(exchange.host, value, exchange);
      break;
    case 10:
      if (equals_ignoring_case(name, "user-agent")) assign(exchange.user_agent, value, exchange);
      break;
    case 11:
      if (equals_ignoring_case(name, "traceparent")) take_traceparent(value, exchange);
      break;
    case 12:
      if (equals_ignoring_case(name, "content-type")) {
        assign(exchange.content_type, value, exchange);
        if (value.starts_with("application/grpc")) exchange.stream = Stream::grpc;
      }
      break;
    default:
      break;
  }
  if (!keep.headers.empty()) keep_header(name, value, keep, exchange);
}

void take_response_field(std::string_view name, std::string_view value, const Keep& keep, Exchange& exchange,
                         MessageFields& fields) {
  take_framing(name, value, fields);
  if (equals_ignoring_case(name, "content-type")) {
    assign(exchange.content_type, value, exchange);
    if (value.starts_with("text/event-stream")) exchange.stream = Stream::sse;
    if (value.starts_with("application/grpc")) exchange.stream = Stream::grpc;
  } else if (equals_ignoring_case(name, "grpc-status")) {
    std::uint32_t code = 0;
    const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), code);
    if (status == std::errc{} && end == value.data() + value.size()) exchange.grpc_status = code;
  }
  if (!keep.headers.empty()) keep_header(name, value, keep, exchange);
}

void take_path(std::string_view path, const Keep& keep, Exchange& exchange) {
  if (path.size() > kMaxTarget) {
    path = path.substr(0, kMaxTarget);
    exchange.incomplete = true;
  }
  const std::size_t question = path.find('?');
  exchange.path.assign(path.substr(0, question));
  exchange.query.clear();
  if (question == std::string_view::npos || !keep.query) return;
  std::string_view query = path.substr(question + 1);
  query = query.substr(0, query.find('#'));
  append_redacted_query(exchange.query, query);
}

void take_target(std::string_view target, const Keep& keep, Exchange& exchange) {
  if (target.empty() || target.front() == '/' || target == "*") return take_path(target, keep, exchange);
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) {  // CONNECT's authority
    assign(exchange.host, target, exchange);
    return;
  }
  exchange.scheme.assign(target.substr(0, std::min<std::size_t>(colon, 16)));
  std::string_view rest = target.substr(colon + 3);
  const std::size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  const std::size_t at = authority.rfind('@');  // never a name and a password
  if (at != std::string_view::npos) authority.remove_prefix(at + 1);
  assign(exchange.host, authority, exchange);
  rest.remove_prefix(slash);
  take_path(rest.empty() ? "/" : rest, keep, exchange);
}

// https://www.w3.org/TR/trace-context/: 00-TRACEID-PARENTID-FLAGS; ids of all zeros are invalid.
bool take_traceparent(std::string_view value, Exchange& exchange) {
  constexpr std::size_t kVersion00 = 55;
  if (value.size() < kVersion00 || value[2] != '-' || value[35] != '-' || value[52] != '-') return false;
  const std::string_view version = value.substr(0, 2);
  const std::string_view trace = value.substr(3, 32);
  const std::string_view parent = value.substr(36, 16);
  if (!is_lower_hex(version) || version == "ff" || !is_lower_hex(trace) || !is_lower_hex(parent) ||
      !is_lower_hex(value.substr(53, 2))) {
    return false;
  }
  if (value.size() > kVersion00 && (version == "00" || value[kVersion00] != '-')) return false;
  if (trace.find_first_not_of('0') == std::string_view::npos ||
      parent.find_first_not_of('0') == std::string_view::npos) {
    return false;
  }
  unsigned flags = 0;
  std::from_chars(value.data() + 53, value.data() + 55, flags, 16);
  exchange.trace_flags = static_cast<std::uint8_t>(flags);
  exchange.trace_id.assign(trace);
  exchange.parent_id.assign(parent);
  return true;
}

}  // namespace plumb::http
