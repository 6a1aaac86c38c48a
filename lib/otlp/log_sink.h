// The sink of --otlp: each row becomes a log record, by the field table.
//
//   event name   plumb.TOOL.TYPE
//   time         the field `time`; without one the record has its observed time alone
//   severity     WARN when an enumeration has one of the values that mean trouble (FieldSpec::alerts), else
//   INFO attributes   every other field whose value is known, as FieldSpec::otlp or plumb.KEY
//
// Losses are records too: plumb.lost, WARN, with plumb.count.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "event/field.h"
#include "otlp/batcher.h"
#include "otlp/encoding.h"
#include "otlp/queue.h"
#include "sink/sink.h"

namespace plumb::otlp {

// The attribute that a field becomes.
std::string attribute_name(const FieldSpec& spec);

// Hands batches to `queue` when they are full or old, and at the end. All but the schema outlive the sink.
std::unique_ptr<Sink> make_sink(const Schema& schema, const std::string& tool, Encoding& encoding,
                                Queue& queue, const ClockSource& clock, BatchLimits limits);

}  // namespace plumb::otlp
