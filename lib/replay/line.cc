#include "replay/line.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "replay/scalars.h"

namespace plumb::replay {
namespace {

constexpr std::string_view kLost = "lost";
constexpr std::size_t kLongestShown = 64;

std::string shown(std::string_view text) {
  std::string out;
  append_printable(out, text.substr(0, kLongestShown));
  if (text.size() > kLongestShown) out += "...";
  return out;
}

}  // namespace

LineReader::LineReader(const Schema& fields) : schema_(fields.of_saved<SavedRow>()) {
  const std::size_t size = fields.size();
  for (std::size_t i = 0; i < size; ++i) specs_.push_back(&fields.spec(i));
  type_field_ = fields.find("type");
  for (std::size_t type = 0; type < fields.types().size(); ++type) {
    carried_.push_back(static_cast<std::size_t>(std::ranges::count_if(
        specs_, [type](const FieldSpec* spec) { return (spec->types >> type & 1U) != 0; })));
  }
  row_.values.resize(size);
  seen_.resize(size);
  missing_.resize(size);
}

LineKind LineReader::read(std::string_view line) {
  ++line_;
  why_.clear();
  if (line.size() > kLongest) {
    why_ = "longer than 1 MiB";
    return LineKind::broken;
  }
  JsonText json(line);
  if (json.at_end()) return LineKind::empty;
  next_ = 0;
  room_.clear();
  room_.reserve(line.size());
  items_.clear();
  lists_.clear();
  unknown_here_.clear();
  type_text_ = count_text_ = time_text_ = {};
  if (!members(json)) {
    if (why_.empty()) why_ = "not JSON at byte " + std::to_string(json.position() + 1);
    return LineKind::broken;
  }
  if (type_text_ == kLost && (count_text_.empty() || time_text_.empty())) {  // its type did not come first
    type_text_ = kLost;
    room_.clear();
    JsonText again(line);
    members(again);
  }
  return finish();
}

bool LineReader::members(JsonText& json) {
  if (!json.accept('{')) return false;
  if (!json.accept('}')) {
    do {
      std::string_view key;
      if (json.peek() != '"' || !json.string(key, room_) || !json.accept(':') || !member(json, key))
        return false;
    } while (json.accept(','));
    if (!json.accept('}')) return false;
  }
  return json.at_end();
}

// Keys come in the table's order, where plumb wrote them.
std::size_t LineReader::find(std::string_view key) {
  for (std::size_t n = 0; n < specs_.size(); ++n) {
    const std::size_t i = next_;
    next_ = next_ + 1 < specs_.size() ? next_ + 1 : 0;
    if (specs_[i]->key == key) return i;
  }
  return Schema::npos;
}

bool LineReader::member(JsonText& json, std::string_view key) {
  const std::size_t field = find(key);
  if (key == "type" && json.peek() != '"') return type_text_ = {}, json.skip();
  if (key == "type") {
    if (!json.string(type_text_, room_)) return false;
    if (field == Schema::npos) return true;
    const auto& types = schema_.types();
    row_.type_index = static_cast<std::size_t>(std::ranges::find(types, type_text_) - types.begin());
    row_.values[field] = row_.type_index < types.size() ? Value{Name{types[row_.type_index]}} : Value{None{}};
    seen_[field] = line_;
    return true;
  }
  // Of a loss the values say it all; which fields the tool has matters nothing there.
  if (type_text_ == kLost) {
    if (key == "count") return json.number(count_text_);
    if (key == "time") return json.string(time_text_, room_);
    return json.skip();
  }
  if (field != Schema::npos) return value(json, field);
  if (unknown_here_.size() < kMostUnknown) unknown_here_.push_back(key);
  return json.skip();
}

bool LineReader::wrong(std::size_t field, std::string_view expected) {
  why_ = std::string(specs_[field]->key) + " is not " + std::string(expected);
  return false;
}

bool LineReader::list(JsonText& json, std::size_t field) {
  if (!json.accept('[')) return wrong(field, "a list");
  const std::size_t first = items_.size();
  if (!json.accept(']')) {
    do {
      std::string_view item;
      if (json.peek() != '"') return wrong(field, "a list of texts");
      if (!json.string(item, room_)) return false;
      items_.push_back(item);
    } while (json.accept(','));
    if (!json.accept(']')) return false;
  }
  lists_.push_back({field, first, items_.size() - first});
  return true;
}

namespace {

// A text as the value that the field's type makes of it; nothing when it cannot be.
std::optional<Value> text_value(const FieldSpec& spec, std::string_view text) {
  switch (spec.type) {
    case FieldType::enumeration: {
      const auto found = std::ranges::find(spec.values, text);
      // A newer plumb may have more names.
      return found == spec.values.end() ? Value{text} : Value{Name{*found}};
    }
    case FieldType::text:
      return Value{text};
    case FieldType::address: {
      const auto address = IpAddress::parse(text);
      return address ? std::optional<Value>(*address) : std::nullopt;
    }
    case FieldType::time: {
      const auto time = parse_time(text);
      return time ? std::optional<Value>(*time) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

template <class T>
std::optional<Value> some(const std::optional<T>& value) {
  return value ? std::optional<Value>(*value) : std::nullopt;
}

std::optional<Value> number_value(const FieldSpec& spec, std::string_view text) {
  switch (spec.type) {
    case FieldType::integer:
      return some(parse_number<std::int64_t>(text));
    case FieldType::unsigned_integer:
    case FieldType::bytes:
      return some(parse_number<std::uint64_t>(text));
    case FieldType::number:
      return some(parse_number<double>(text));
    case FieldType::duration:
      return some(parse_milliseconds(text));
    default:
      return std::nullopt;
  }
}

std::string_view expected(FieldType type) {
  switch (type) {
    case FieldType::boolean:
      return "true, false or null";
    case FieldType::integer:
      return "a whole number";
    case FieldType::unsigned_integer:
    case FieldType::bytes:
      return "a whole number from 0 on";
    case FieldType::number:
      return "a number";
    case FieldType::text:
    case FieldType::enumeration:
      return "a text";
    case FieldType::address:
      return "an address";
    case FieldType::time:
      return "a time in UTC (RFC 3339)";
    case FieldType::duration:
      return "a number of milliseconds";
    case FieldType::list:
      return "a list";
  }
  return "what it should be";
}

}  // namespace

bool LineReader::value(JsonText& json, std::size_t field) {
  const FieldSpec& spec = *specs_[field];
  seen_[field] = line_;
  const char c = json.peek();
  if (c == 'n') return row_.values[field] = None{}, json.accept_word("null");
  if (spec.type == FieldType::list) return list(json, field);
  std::optional<Value> made;
  if (c == '"') {
    std::string_view text;
    if (!json.string(text, room_)) return false;
    made = text_value(spec, text);
  } else if (c == 't' || c == 'f') {
    if (!json.accept_word(c == 't' ? "true" : "false")) return false;
    if (spec.type == FieldType::boolean) made = c == 't';
  } else {
    std::string_view text;
    if (c != '{' && c != '[' && !json.number(text)) return false;
    made = number_value(spec, text);
  }
  if (!made) return wrong(field, expected(spec.type));
  row_.values[field] = *made;
  return true;
}

LineKind LineReader::finish() {
  if (type_text_ == kLost) {
    const auto count = parse_number<std::uint64_t>(count_text_);
    const auto time = parse_time(time_text_);
    if (!count || !time) {
      why_ = "a loss without its count and time";
      return LineKind::broken;
    }
    lost_count_ = *count;
    lost_at_ = *time;
    return LineKind::lost;
  }
  const auto& types = schema_.types();
  if (type_field_ != Schema::npos &&
      (seen_[type_field_] != line_ || type_text_.empty() || row_.type_index >= types.size()))
    return LineKind::other;
  if (type_field_ == Schema::npos) row_.type_index = 0;
  for (const ListPlace& l : lists_) {
    // Without an item, `items_` may have no room at all.
    row_.values[l.field] = l.count == 0 ? TextList{} : TextList(items_).subspan(l.first, l.count);
  }
  note_missing();
  return LineKind::row;
}

void LineReader::note_missing() {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (seen_[i] == line_) continue;
    row_.values[i] = None{};
    if ((specs_[i]->types >> row_.type_index & 1U) != 0) ++missing_[i];
  }
  for (const std::string_view key : unknown_here_) {
    std::string name = shown(key);
    const auto found = unknown_.find(name);
    if (found != unknown_.end()) {
      ++found->second;
    } else if (unknown_.size() < kMostUnknown) {
      unknown_.emplace(std::move(name), 1);
    }
  }
}

}  // namespace plumb::replay
