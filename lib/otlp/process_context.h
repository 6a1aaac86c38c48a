// The payload of a process's own context (proc/otel_context.h): opentelemetry.proto.processcontext.v1development's
// ProcessContext, or, as an earlier text of the proposal had it, a Resource alone.
#pragma once

#include <string_view>
#include <vector>

#include "otlp/config.h"

namespace plumb::otlp {

// Its resource's attributes whose values are text, as they come; what is broken ends the list.
std::vector<Pair> resource_of_context(std::string_view payload);

}  // namespace plumb::otlp
