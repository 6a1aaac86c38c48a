// A made-up tool's event with a field of every type, for tests of what walks a field table. It has two types
// of lines, and `size_bytes` belongs to one of them only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/field.h"

namespace plumb::sample {

enum Type : std::uint8_t { kBegin, kFinish };

struct Event {
  Type type = kBegin;
  UnixTime time;
  std::optional<std::uint64_t> pid;
  std::string_view comm;
  std::optional<std::int64_t> delta;
  std::optional<double> ratio;
  std::optional<bool> cached;
  std::string_view outcome;
  IpAddress peer;
  std::optional<Duration> latency;
  std::uint64_t size = 0;
  std::optional<TextList> tags;
  std::optional<std::string_view> path;  // known to be empty is not unknown
};

inline constexpr std::string_view kTypes[] = {"begin", "finish"};
inline constexpr std::string_view kOutcomes[] = {"done", "refused", "timeout"};
inline constexpr std::string_view kFailures[] = {"refused", "timeout"};

template <class T>
Value optional_value(const std::optional<T>& v) {
  return v ? Value{*v} : Value{None{}};
}

inline std::size_t type_of(const Event& e) {
  return e.type;
}

inline constexpr auto kFields = std::to_array<Field<Event>>({
    {{.key = "time", .heading = "TIME", .type = FieldType::time, .width = 12, .shown = true, .help = "When."},
     [](const Event& e) -> Value { return e.time; }},
    {{.key = "type",
      .heading = "TYPE",
      .type = FieldType::enumeration,
      .width = 6,
      .values = kTypes,
      .help = "What."},
     [](const Event& e) -> Value { return Name{kTypes[e.type]}; }},
    {{.key = "pid",
      .heading = "PID",
      .type = FieldType::unsigned_integer,
      .width = 7,
      .shown = true,
      .help = "The process; null when it is not known."},
     [](const Event& e) -> Value { return optional_value(e.pid); }},
    {{.key = "comm",
      .heading = "COMM",
      .type = FieldType::text,
      .width = 15,
      .shown = true,
      .help = "Its name."},
     [](const Event& e) -> Value { return text_or_none(e.comm); }},
    {{.key = "delta", .heading = "DELTA", .type = FieldType::integer, .width = 6, .help = "A signed number."},
     [](const Event& e) -> Value { return optional_value(e.delta); }},
    {{.key = "ratio", .heading = "RATIO", .type = FieldType::number, .width = 7, .help = "A real number."},
     [](const Event& e) -> Value { return optional_value(e.ratio); }},
    {{.key = "cached", .heading = "CACHED", .type = FieldType::boolean, .width = 6, .help = "Yes or no."},
     [](const Event& e) -> Value { return optional_value(e.cached); }},
    {{.key = "outcome",
      .heading = "OUTCOME",
      .type = FieldType::enumeration,
      .width = 9,
      .shown = true,
      .values = kOutcomes,
      .alerts = kFailures,
      .help = "How it ended."},
     [](const Event& e) -> Value { return name_or_none(e.outcome); }},
    {{.key = "peer",
      .heading = "PEER",
      .type = FieldType::address,
      .width = 15,
      .shown = true,
      .help = "With whom."},
     [](const Event& e) -> Value { return address_or_none(e.peer); }},
    {{.key = "latency_ms",
      .heading = "LATENCY",
      .type = FieldType::duration,
      .width = 7,
      .shown = true,
      .help = "How long."},
     [](const Event& e) -> Value { return optional_value(e.latency); }},
    {{.key = "size_bytes",
      .heading = "SIZE",
      .type = FieldType::bytes,
      .width = 6,
      .types = 1U << kFinish,
      .shown = true,
      .help = "How much; of finish only."},
     [](const Event& e) -> Value { return e.size; }},
    {{.key = "tags", .heading = "TAGS", .type = FieldType::list, .width = 12, .help = "Words."},
     [](const Event& e) -> Value { return optional_value(e.tags); }},
    {{.key = "path", .heading = "PATH", .type = FieldType::text, .width = 20, .help = "Where."},
     [](const Event& e) -> Value { return optional_value(e.path); }},
});
static_assert(valid_fields(kFields));

inline constexpr Schema kSchema = Schema::of<Event, type_of>(kFields, kTypes);

}  // namespace plumb::sample
