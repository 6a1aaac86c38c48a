// Whose a span is: the resource of the process that did it.
#pragma once

#include <string>
#include <string_view>

#include "otlp/span.h"
#include "run/origin.h"

namespace plumb {

// service.name, by OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES in the process's environment, else its executable's name;
// container and pod where it is in one. Nothing when neither is known.
void set_owner(otlp::SpanDraft& span, const Origin& origin);

// Of an environment as /proc/PID/environ has it; empty: it says nothing.
std::string service_of_environment(std::string_view environment);

}  // namespace plumb
