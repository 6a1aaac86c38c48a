// Queries without their secrets.
#pragma once

#include <string>
#include <string_view>

namespace plumb::http {

// Appends `query` (without '?') with the values of known credentials replaced by REDACTED: the keys that the
// OpenTelemetry conventions for HTTP spans list, case-sensitive as there (url.query).
void append_redacted_query(std::string& out, std::string_view query);

}  // namespace plumb::http
