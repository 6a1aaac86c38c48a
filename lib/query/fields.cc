#include "query/fields.h"

#include <string>

#include "base/text.h"

namespace plumb::query {
namespace {

constexpr std::string_view kSuffixes[] = {"_ms", "_bytes"};

std::vector<std::string_view> keys_without_suffix(std::string_view name, const Schema& schema) {
  std::vector<std::string_view> found;
  for (std::string_view suffix : kSuffixes) {
    const std::size_t i = schema.find(std::string(name) + std::string(suffix));
    if (i != Schema::npos) found.push_back(schema.spec(i).key);
  }
  return found;
}

}  // namespace

std::size_t find_field(std::string_view name, const Schema& schema) {
  const std::size_t i = schema.find(name);
  if (i != Schema::npos) return i;
  const auto found = keys_without_suffix(name, schema);
  return found.size() == 1 ? schema.find(found.front()) : Schema::npos;
}

Result<std::size_t> resolve_field(std::string_view text, Span at, std::string_view name,
                                  const Schema& schema) {
  const std::size_t i = find_field(name, schema);
  if (i != Schema::npos) return i;
  if (const auto found = keys_without_suffix(name, schema); found.size() > 1) {
    return error_at(text, at, quoted(name) + " is ambiguous", "there are " + enumerate(found));
  }
  std::vector<std::string_view> keys;
  std::vector<std::string_view> short_forms;  // a mistyped short form is near the short form only
  for (std::size_t k = 0; k < schema.size(); ++k) {
    const std::string_view key = schema.spec(k).key;
    keys.push_back(key);
    for (const std::string_view suffix : kSuffixes) {
      const std::string_view bare = key.substr(0, key.size() - suffix.size());
      if (key.ends_with(suffix) && find_field(bare, schema) == k) short_forms.push_back(bare);
    }
  }
  std::vector<std::string_view> longer;  // remote_port, for port
  for (const std::string_view key : keys) {
    if (key.ends_with("_" + std::string(name))) longer.push_back(key);
  }
  if (!longer.empty()) {
    return error_at(text, at, "there is no field " + quoted(name), "there is " + enumerate(longer));
  }
  const std::string otherwise = did_you_mean(name, short_forms, "--list-fields shows all of them");
  return error_at(text, at, "there is no field " + quoted(name), did_you_mean(name, keys, otherwise));
}

bool needs_unit(const Number& number, FieldType type, bool named) {
  const Class c = class_of(type);
  return !named && (c == Class::duration || c == Class::bytes) && number.unit == Unit::none &&
         number.value != 0;
}

Error no_unit(std::string_view text, Span at, std::string_view name, FieldType type) {
  std::string number, what;
  append_printable(number, text.substr(at.begin, at.end - at.begin));
  append_printable(what, name);
  const bool duration = class_of(type) == Class::duration;
  return error_at(text, at, what + " is " + std::string(describe(type)) + ": " + number + " has no unit",
                  "write " + number + (duration ? "ms or " + number + "s" : "B or " + number + "KB"));
}

Class class_of(FieldType type) {
  switch (type) {
    case FieldType::boolean:
      return Class::boolean;
    case FieldType::integer:
    case FieldType::unsigned_integer:
    case FieldType::number:
      return Class::number;
    case FieldType::text:
    case FieldType::enumeration:
      return Class::text;
    case FieldType::address:
      return Class::address;
    case FieldType::time:
      return Class::time;
    case FieldType::duration:
      return Class::duration;
    case FieldType::bytes:
      return Class::bytes;
    case FieldType::list:
      return Class::list;
  }
  return Class::text;
}

std::string_view describe(FieldType type) {
  switch (type) {
    case FieldType::boolean:
      return "true or false";
    case FieldType::integer:
    case FieldType::unsigned_integer:
    case FieldType::number:
      return "a number";
    case FieldType::text:
      return "text";
    case FieldType::enumeration:
      return "one of a set of words";
    case FieldType::address:
      return "an address";
    case FieldType::time:
      return "a time";
    case FieldType::duration:
      return "a duration";
    case FieldType::bytes:
      return "a size";
    case FieldType::list:
      return "a list";
  }
  return "text";
}

}  // namespace plumb::query
