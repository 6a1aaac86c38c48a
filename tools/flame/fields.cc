#include "flame/event.h"

#include <array>

namespace plumb {
namespace {

constexpr std::string_view kTypes[] = {"stack"};
std::size_t type_of(const Stack&) {
  return 0;
}

constexpr auto kFields = std::to_array<Field<Stack>>({
    {{.key = "type",
      .heading = "TYPE",
      .type = FieldType::enumeration,
      .width = 5,
      .values = kTypes,
      .help = "stack."},
     [](const Stack&) -> Value { return Name{kTypes[0]}; }},
    {{.key = "count",
      .heading = "SAMPLES",
      .type = FieldType::unsigned_integer,
      .width = 8,
      .shown = true,
      .help = "How many samples have this stack."},
     [](const Stack& s) -> Value { return s.count; }},
    {{.key = "value",
      .heading = "VALUE",
      .type = FieldType::unsigned_integer,
      .width = 14,
      .shown = true,
      .help = "Their weight, in `unit`."},
     [](const Stack& s) -> Value { return s.value; }},
    {{.key = "unit",
      .heading = "UNIT",
      .type = FieldType::text,
      .width = 11,
      .help = "What `value` counts: count, nanoseconds or bytes."},
     [](const Stack& s) -> Value { return text_or_none(s.unit); }},
    {{.key = "event",
      .heading = "EVENT",
      .type = FieldType::text,
      .width = 10,
      .help = "What took the samples."},
     [](const Stack& s) -> Value { return text_or_none(s.event); }},
    {{.key = "pid",
      .heading = "PID",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .shown = true,
      .help = "The process."},
     [](const Stack& s) -> Value { return number_or_none(s.pid); }},
    {{.key = "comm",
      .heading = "COMM",
      .type = FieldType::text,
      .width = 15,
      .group = true,
      .shown = true,
      .help = "Its command name; with --threads the thread's."},
     [](const Stack& s) -> Value { return text_or_none(s.comm); }},
    {{.key = "stack",
      .heading = "STACK",
      .type = FieldType::list,
      .width = 40,
      .shown = true,
      .help = "Its functions, the root first."},
     [](const Stack& s) -> Value { return s.frames; }},
});
static_assert(valid_fields(kFields));

}  // namespace

constexpr Schema kStackSchemaValue = Schema::of<Stack, type_of>(kFields, kTypes);
const Schema kStackSchema = kStackSchemaValue;

}  // namespace plumb
