#include "query/group_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/text.h"

namespace plumb {
namespace {

// A value in a key is its place among the alternatives of Value, then its bytes: those of a text behind their number.
template <class T>
void append_bytes(std::string& key, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_value(std::string& key, const Value& value) {
  key += static_cast<char>(value.index());
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          append_bytes(key, v.size());
          key += v;
        } else if constexpr (std::is_same_v<T, Name>) {  // of a table that outlives the run
          append_bytes(key, v.text.data());
          append_bytes(key, v.text.size());
        } else if constexpr (std::is_same_v<T, IpAddress>) {
          key += v.family() == IpAddress::Family::none ? '\0' : v.is_v4() ? '4' : '6';
          key.append(reinterpret_cast<const char*>(v.bytes().data()), v.bytes().size());
        } else if constexpr (!std::is_same_v<T, None> && !std::is_same_v<T, TextList>) {
          append_bytes(key, v);
        }
      },
      value);
}

template <class T>
T take(std::string_view& rest) {
  T value{};
  std::memcpy(&value, rest.data(), sizeof value);
  rest.remove_prefix(sizeof value);
  return value;
}

std::string_view take_text(std::string_view& rest, std::size_t size) {
  const std::string_view text = rest.substr(0, size);
  rest.remove_prefix(size);
  return text;
}

IpAddress take_address(std::string_view& rest) {
  const char family = rest.front();
  rest.remove_prefix(1);
  // All bytes stand there, also where only four are an address.
  const std::string_view bytes = take_text(rest, IpAddress{}.bytes().size());
  if (family == '\0') return {};
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return family == '4' ? IpAddress::v4(data) : IpAddress::v6(data);
}

Value take_value(std::string_view& rest) {
  const std::size_t index = static_cast<unsigned char>(rest.front());
  rest.remove_prefix(1);
  Value value;
  const auto is = [index]<class T>(const T&) { return Value{T{}}.index() == index; };
  if (is(bool{})) {
    value = take<bool>(rest);
  } else if (is(std::int64_t{})) {
    value = take<std::int64_t>(rest);
  } else if (is(std::uint64_t{})) {
    value = take<std::uint64_t>(rest);
  } else if (is(double{})) {
    value = take<double>(rest);
  } else if (is(std::string_view{})) {
    value = take_text(rest, take<std::size_t>(rest));
  } else if (is(Name{})) {
    const auto* data = take<const char*>(rest);
    value = Name{{data, take<std::size_t>(rest)}};
  } else if (is(IpAddress{})) {
    value = take_address(rest);
  } else if (is(UnixTime{})) {
    value = take<UnixTime>(rest);
  } else if (is(Duration{})) {
    value = take<Duration>(rest);
  }
  return value;
}

struct PlainText {
  std::string operator()(None) const { return "null"; }
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::string_view v) const {
    std::string out;
    append_printable(out, v);
    return out;
  }
  std::string operator()(Name v) const { return std::string(v.text); }
  std::string operator()(const IpAddress& v) const {
    char text[IpAddress::kMaxText];
    return {text, v.format(text)};
  }
  std::string operator()(UnixTime v) const { return fmt::to_string(v.ns); }
  std::string operator()(Duration v) const { return fmt::format("{} ms", static_cast<double>(v.ns) / 1e6); }
  std::string operator()(TextList) const { return {}; }
  std::string operator()(auto v) const { return fmt::to_string(v); }
};

}  // namespace

namespace {

// Saved lines and live events tell one value in one way: a name is one of its field's table, or a text.
Value canonical(const FieldSpec& spec, Value value) {
  const auto* name = std::get_if<Name>(&value);
  if (name == nullptr) return value;
  if (spec.type == FieldType::text) return name->text;
  for (const std::string_view known : spec.values) {
    if (known.data() == name->text.data()) return value;
  }
  const auto found = std::ranges::find(spec.values, name->text);
  return found == spec.values.end() ? value : Value{Name{*found}};
}

}  // namespace

void GroupFields::key_of(const Row& row, std::string& key) const {
  key.clear();
  for (const std::size_t i : fields_) {
    append_value(key, row.carries(i) ? canonical(schema_->spec(i), row.get(i)) : Value{None{}});
  }
}

std::vector<Value> GroupFields::values_of(const std::string& key) const {
  std::vector<Value> values;
  std::string_view rest = key;
  while (!rest.empty()) values.push_back(take_value(rest));
  return values;
}

std::string GroupFields::text_of(const std::string& key) const {
  std::string text;
  const std::vector<Value> values = values_of(key);
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", spec(i).key, std::visit(PlainText{}, values[i]));
  }
  return text;
}

Result<std::vector<std::size_t>> group_fields(const Schema& schema, const std::vector<std::string>& keys) {
  std::vector<std::size_t> fields;
  for (const std::string& key : keys) {
    std::size_t i = schema.find(key);
    if (i == Schema::npos) i = schema.find(key + "_ms");  // as in expressions
    if (i == Schema::npos) {
      std::vector<std::string_view> known;
      for (std::size_t f = 0; f < schema.size(); ++f) known.push_back(schema.spec(f).key);
      const auto near = suggestions(key, known, 1);
      return Error{
          "--by: no field is named '" + key + "'",
          {},
          near.empty() ? "--list-fields shows them all" : "did you mean " + std::string(near.front()) + "?"};
    }
    if (schema.spec(i).type == FieldType::list) {
      return Error{"--by: " + key + " is a list", "groups are made by single values"};
    }
    if (std::ranges::find(fields, i) == fields.end()) fields.push_back(i);
  }
  return fields;
}

}  // namespace plumb
