// What the names in an expression mean: the fields of a schema.
#pragma once

#include <string_view>
#include <vector>

#include "event/field.h"
#include "query/diagnostic.h"
#include "query/lexer.h"

namespace plumb::query {

// The index of the field that `name` at `at` means: its key, or its key without _ms or _bytes where that
// leaves no doubt ("latency" for latency_ms).
Result<std::size_t> resolve_field(std::string_view text, Span at, std::string_view name,
                                  const Schema& schema);

// The same without an error to show: npos when no field, or more than one, is meant.
std::size_t find_field(std::string_view name, const Schema& schema);

// What can be compared with what.
enum class Class : std::uint8_t { boolean, number, duration, bytes, text, address, time, list };
Class class_of(FieldType type);

// "a number", "a duration": for messages.
std::string_view describe(FieldType type);

// Whether a number says too little beside a value of `type`, whose name as written does not say what it counts (latency > 5:
// 5 what?). Nothing needs no unit.
bool needs_unit(const Number& number, FieldType type, bool named);
// The error that says so; `name` is the value's, the number stands at `at`.
Error no_unit(std::string_view text, Span at, std::string_view name, FieldType type);

inline bool is_numeric(FieldType type) {
  const Class c = class_of(type);
  return c == Class::number || c == Class::duration || c == Class::bytes;
}

}  // namespace plumb::query
