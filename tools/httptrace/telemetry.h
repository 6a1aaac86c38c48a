// What requests are to OpenTelemetry.
#pragma once

#include "otlp/telemetry.h"

namespace plumb {

extern const otlp::Telemetry kHttptraceTelemetry;

}  // namespace plumb
