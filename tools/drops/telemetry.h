// What the lines of drops are as OpenTelemetry metrics.
#pragma once

#include "otlp/telemetry.h"

namespace plumb {

extern const otlp::Telemetry kDropsTelemetry;

}  // namespace plumb
