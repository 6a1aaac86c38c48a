// What dnsx's lookups are as OpenTelemetry spans and metrics.
#pragma once

#include "otlp/telemetry.h"

namespace plumb {

extern const otlp::Telemetry kDnsxTelemetry;

}  // namespace plumb
