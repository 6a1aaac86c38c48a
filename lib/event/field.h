// The one definition of a field. A tool declares its event once, as a constexpr table:
//
//   constexpr auto kFields = std::to_array<Field<Connect>>({
//       {{.key = "pid", .heading = "PID", .type = FieldType::unsigned_integer, .width = 7, .help = "..."},
//        [](const Connect& e) -> Value { return e.pid_value(); }},
//       ...});
//   static_assert(valid_fields(kFields));
//   constexpr Schema kSchema = Schema::of<Connect, type_of>(kFields, kTypes);
//
// Table columns, JSON keys, --where, --fail-if, --columns, --list-fields, --json-schema, OTLP attributes and
// the man page's field section all walk this table. A Schema is the table with the event's C++ type erased,
// so that sinks and expressions are ordinary code and not templates.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "event/value.h"

namespace plumb {

// What a field's values are. It fixes the JSON type, the literals that --where takes, and how a table aligns.
enum class FieldType : std::uint8_t {
  boolean,
  integer,
  unsigned_integer,
  number,
  text,
  enumeration,  // text out of FieldSpec::values
  address,      // IpAddress
  time,         // UnixTime: RFC 3339, UTC, nanoseconds in JSON
  duration,     // Duration: a number of milliseconds in JSON, key ends in _ms
  bytes,        // unsigned_integer, key ends in _bytes; tables print 1.2K
  list,         // TextList
};

// Which lines carry a field: bit i stands for Schema::types()[i].
using TypeMask = std::uint32_t;
inline constexpr TypeMask kAllTypes = ~TypeMask{0};

struct FieldSpec {
  std::string_view key;      // JSON key and the name in expressions, snake_case
  std::string_view heading;  // table heading, upper case
  FieldType type = FieldType::text;
  std::uint8_t width =
      0;  // usual columns in a table; a longer value widens its line, or is cut on a terminal
  TypeMask types = kAllTypes;
  bool group = false;     // --top and --summary group rows by it
  bool shown = false;     // a table column without --columns or --wide
  bool if_any = false;    // as `shown`; a summary's table leaves it out where all rows have none of it, or 0
  std::uint8_t rank = 0;  // a terminal that is too narrow leaves out the columns with the highest first
  bool below = false;     // a list that a table shows below its line, the last item first
  std::string_view port = {};  // of an address: the key of its port; a table shows both as one column
  std::string_view otlp = {};  // OpenTelemetry attribute; empty: "plumb.<key>"
  std::span<const std::string_view> values = {};  // for enumeration
  std::span<const std::string_view> alerts = {};  // those of `values`, or texts, that mean trouble
  std::uint64_t alert_from = 0;                   // a number that means trouble, and all above; 0: none does
  std::span<const std::string_view> warnings = {};  // those that a log warns of, though nothing failed
  std::string_view help;                            // one sentence: meaning, unit, when it is null
};

// A captureless function of the event. Never null, by construction: comparing a function's address with
// nullptr is no constant expression where GCC's -fsanitize=undefined is on, so that a static_assert could not
// tell.
template <class Event>
class Getter {
 public:
  template <class Function>
  requires std::convertible_to<Function, Value (*)(const Event&)>
  constexpr Getter(Function get) : get_(get) {}
  Getter(std::nullptr_t) = delete;
  Value operator()(const Event& event) const { return get_(event); }

 private:
  Value (*get_)(const Event&);
};

template <class Event>
struct Field {
  FieldSpec spec;
  Getter<Event> get;
};

namespace detail {
template <class Event, std::size_t A, std::size_t B, std::size_t... I, std::size_t... J>
consteval std::array<Field<Event>, A + B> joined(const std::array<Field<Event>, A>& a,
                                                 const std::array<Field<Event>, B>& b,
                                                 std::index_sequence<I...>, std::index_sequence<J...>) {
  return {a[I]..., b[J]...};
}
}  // namespace detail

// Tables after one another, such as the fields that tools share and a tool's own.
template <class Event, std::size_t A, std::size_t B>
consteval std::array<Field<Event>, A + B> joined(const std::array<Field<Event>, A>& a,
                                                 const std::array<Field<Event>, B>& b) {
  return detail::joined(a, b, std::make_index_sequence<A>{}, std::make_index_sequence<B>{});
}

template <class Event, std::size_t A, std::size_t B, std::size_t... More>
requires(sizeof...(More) != 0) consteval auto joined(const std::array<Field<Event>, A>& a,
                                                     const std::array<Field<Event>, B>& b,
                                                     const std::array<Field<Event>, More>&... more) {
  return joined(joined(a, b), more...);
}

namespace detail {
constexpr bool is_snake_case(std::string_view s) {
  if (s.empty() || s.front() < 'a' || s.front() > 'z') return false;
  for (char c : s) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}
constexpr bool unit_matches(const FieldSpec& f) {
  if (f.key.ends_with("_ms") != (f.type == FieldType::duration)) return false;
  if (f.key.ends_with("_bytes") != (f.type == FieldType::bytes)) return false;
  return (f.type == FieldType::enumeration) == !f.values.empty();
}
constexpr bool alerts_are_values(const FieldSpec& f) {
  if (f.alert_from != 0 && f.type != FieldType::unsigned_integer) return false;
  if (f.type == FieldType::text) return true;
  for (std::string_view alert : f.alerts) {
    bool found = false;
    for (std::string_view value : f.values) found = found || value == alert;
    if (!found) return false;
  }
  return true;
}
}  // namespace detail

// True when keys are unique snake_case, headings and help are there, unit suffixes match types and
// alerts are among the values of an enumeration. For static_assert.
template <class Event, std::size_t N>
consteval bool valid_fields(const std::array<Field<Event>, N>& fields) {
  for (std::size_t i = 0; i < N; ++i) {
    const FieldSpec& f = fields[i].spec;
    if (!detail::is_snake_case(f.key) || f.heading.empty() || f.help.empty() || f.types == 0) return false;
    if (!detail::unit_matches(f) || !detail::alerts_are_values(f)) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (fields[j].spec.key == f.key) return false;
    }
  }
  return N > 0;
}

namespace detail {
template <class Event>
inline constexpr char event_tag = 0;  // its address stands for the type
}

class Schema {
 public:
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  // `types` are the names that the "type" field takes; TypeOf gives an event's index among them.
  template <class Event, std::size_t (*TypeOf)(const Event&), std::size_t N>
  static constexpr Schema of(const std::array<Field<Event>, N>& fields,
                             std::span<const std::string_view> types) {
    Schema s;
    s.table_ = fields.data();
    s.size_ = N;
    s.types_ = types;
    s.event_ = &detail::event_tag<Event>;
    s.spec_ = [](const void* t, std::size_t i) -> const FieldSpec& {
      return static_cast<const Field<Event>*>(t)[i].spec;
    };
    s.get_ = [](const void* t, std::size_t i, const void* event) {
      return static_cast<const Field<Event>*>(t)[i].get(*static_cast<const Event*>(event));
    };
    s.type_of_ = [](const void* event) { return TypeOf(*static_cast<const Event*>(event)); };
    return s;
  }

  // Of rows whose fields are known at run time only; all are of one type. An Event gives the value of field i as
  // event[i]. `specs` outlives the schema.
  template <class Event>
  static Schema of_specs(std::span<const FieldSpec> specs, std::span<const std::string_view> types) {
    Schema s;
    s.table_ = specs.data();
    s.size_ = specs.size();
    s.types_ = types;
    s.event_ = &detail::event_tag<Event>;
    s.spec_ = [](const void* t, std::size_t i) -> const FieldSpec& {
      return static_cast<const FieldSpec*>(t)[i];
    };
    s.get_ = [](const void*, std::size_t i, const void* event) {
      return (*static_cast<const Event*>(event))[i];
    };
    s.type_of_ = [](const void*) -> std::size_t { return 0; };
    return s;
  }

  // The same fields of the same types over another kind of event, which holds their values: field i is event[i], its type
  // event.type(). What a tool's lines are when they are read back.
  template <class Event>
  Schema of_saved() const {
    Schema s = *this;
    s.event_ = &detail::event_tag<Event>;
    s.get_ = [](const void*, std::size_t i, const void* event) -> Value {
      return (*static_cast<const Event*>(event))[i];
    };
    s.type_of_ = [](const void* event) -> std::size_t { return static_cast<const Event*>(event)->type(); };
    return s;
  }

  std::size_t size() const { return size_; }
  const FieldSpec& spec(std::size_t i) const { return spec_(table_, i); }
  Value get(std::size_t i, const void* event) const { return get_(table_, i, event); }
  std::span<const std::string_view> types() const { return types_; }
  std::size_t type_of(const void* event) const { return type_of_(event); }

  // Whether rows of this schema are Events. The one question that erasing the type leaves open; sinks ask it
  // to show aggregated stacks as rows.
  template <class Event>
  bool describes() const {
    return event_ == &detail::event_tag<Event>;
  }

  // The index of the field with this key, or npos.
  std::size_t find(std::string_view key) const {
    for (std::size_t i = 0; i < size_; ++i) {
      if (spec(i).key == key) return i;
    }
    return npos;
  }

 private:
  const void* table_ = nullptr;
  std::size_t size_ = 0;
  std::span<const std::string_view> types_;
  const char* event_ = nullptr;
  const FieldSpec& (*spec_)(const void*, std::size_t) = nullptr;
  Value (*get_)(const void*, std::size_t, const void*) = nullptr;
  std::size_t (*type_of_)(const void*) = nullptr;
};

// One event of any tool, seen through its Schema. Cheap to copy; lives only inside the callback that it is
// passed to.
class Row {
 public:
  template <class Event>
  Row(const Schema& schema, const Event& event) : schema_(&schema), event_(&event) {}

  const Schema& schema() const { return *schema_; }
  // The event itself, when rows of this schema are Events; otherwise nullptr.
  template <class Event>
  const Event* event() const {
    return schema_->describes<Event>() ? static_cast<const Event*>(event_) : nullptr;
  }
  Value get(std::size_t i) const { return schema_->get(i, event_); }
  std::size_t type() const { return schema_->type_of(event_); }
  // Whether lines of this row's type carry field i at all.
  bool carries(std::size_t i) const { return (schema_->spec(i).types >> type() & 1U) != 0; }

 private:
  const Schema* schema_;
  const void* event_;
};

}  // namespace plumb
