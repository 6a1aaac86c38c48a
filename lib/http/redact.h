// Queries without their secrets.
#pragma once

#include <string>
#include <string_view>

namespace plumb::http {

// Appends `query` (without '?') with the values of known credentials replaced by REDACTED: the keys that the
// OpenTelemetry conventions for HTTP spans list (url.query), and the usual names of tokens, passwords and keys.
void append_redacted_query(std::string& out, std::string_view query);

}  // namespace plumb::http
