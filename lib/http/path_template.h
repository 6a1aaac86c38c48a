// Paths with what differs from request to request folded, so that they can be counted: /users/4711/orders ->
// /users/{id}/orders. A guess for a human's summary, never a route (OpenTelemetry forbids to guess
// http.route).
#pragma once

#include <string>
#include <string_view>

namespace plumb::http {

// Appends `path` with each segment that is a number, a UUID, or hexadecimal of 8 and more digits with a digit
// among them as "{id}". At most 8 segments; the rest becomes "...".
void append_path_template(std::string& out, std::string_view path);

}  // namespace plumb::http
