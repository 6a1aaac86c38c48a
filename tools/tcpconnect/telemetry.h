// What tcpconnect's connections are as OpenTelemetry spans and metrics.
#pragma once

#include "otlp/telemetry.h"

namespace plumb {

extern const otlp::Telemetry kTcpconnectTelemetry;

}  // namespace plumb
