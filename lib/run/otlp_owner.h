// Whose a span is: the resource of the process that did it.
#pragma once

#include <string>
#include <string_view>

#include "otlp/span.h"
#include "run/origin.h"

namespace plumb {

// What the process says of itself, service.name first; else that is its executable's name. Container and pod where it is in
// one. Nothing when neither is known.
void set_owner(otlp::SpanDraft& span, const Origin& origin);

// By OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES in an environment as /proc/PID/environ has it, and by the payload of a
// process's own context. Empty: it says nothing. What plumb knows better (of the host, of the process) and what is its own
// (telemetry.sdk) is left out; 32 attributes at most, of 1 KiB.
ProcessResource resource_of_environment(std::string_view environment);
ProcessResource resource_of_context(std::string_view payload);

}  // namespace plumb
