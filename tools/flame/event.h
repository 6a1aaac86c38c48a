// What flame tells: aggregated stacks.
#pragma once

#include "event/field.h"
#include "sink/sink.h"

namespace plumb {

extern const Schema kStackSchema;  // rows are Stacks

}  // namespace plumb
