// What each of OTLP's messages holds, once, for both encodings. Field numbers and names are those of
// opentelemetry/proto/{common,logs,trace,metrics}/v1, version 1.11.
#pragma once

#include "otlp/encoding.h"
#include "otlp/message.h"
#include "otlp/metric.h"
#include "otlp/span.h"

namespace plumb::otlp {

void describe(MessageWriter& out, const Record& record);
void describe(MessageWriter& out, const Span& span);
void describe(MessageWriter& out, const Metric& metric);
void describe_attributes(MessageWriter& out, Key list, std::span<const Attribute> attributes);

}  // namespace plumb::otlp
