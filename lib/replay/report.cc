#include "replay/report.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "replay/json_text.h"
#include "replay/scalars.h"

namespace plumb::replay {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : json_(text) { room_.reserve(text.size()); }

  bool read(SavedReport& out) {
    return members([&](std::string_view key) { return top(key, out); }) && json_.at_end() && complete_;
  }

 private:
  bool top(std::string_view key, SavedReport& out) {
    if (key == "tool") return text(out.tool);
    if (key == "duration_ms") return milliseconds(out.duration);
    if (key == "where") return texts(out.where);
    if (key == "by") return texts(out.by);
    if (key == "certificate") {
      return members([&](std::string_view name) { return name == "lost" ? number(out.lost) : json_.skip(); });
    }
    if (key != "sketches") return json_.skip();
    complete_ = true;
    return items([&] {
      auto s = sketch();
      if (!s) return false;
      out.sketches.push_back(*std::move(s));
      return true;
    });
  }

  std::optional<Sketch> sketch() {
    Sketch s;
    Quantiles::Figures f;
    std::vector<Quantiles::Bucket> buckets;
    std::vector<Stretches::Part> parts;
    const bool read = members([&](std::string_view key) {
      if (key == "group" && json_.peek() == 'n') return json_.accept_word("null");
      if (key == "group") return text(s.group);
      if (key == "of") return text(s.of);
      if (key == "rows") return number(s.rows);
      if (key == "held") return number(s.held);
      if (key == "count") return number(f.count);
      if (key == "zeros") return number(f.zeros);
      if (key == "min") return number(f.min);
      if (key == "max") return number(f.max);
      if (key == "sum") return number(f.sum);
      if (key == "whole") return f.whole = json_.accept_word("true"), f.whole || json_.accept_word("false");
      if (key == "buckets")
        return filled([&](std::uint32_t place, std::uint64_t n) { buckets.emplace_back(place, n); });
      if (key == "parts") return items([&] { return part(parts); });
      return json_.skip();
    });
    auto values = Quantiles::restored(f, buckets);
    auto stretches = Stretches::restored(std::move(parts));
    if (!read || !values || !stretches || s.held > s.rows) return std::nullopt;
    s.values = *std::move(values);
    s.stretches = *std::move(stretches);
    return s;
  }

  bool part(std::vector<Stretches::Part>& out) {
    if (out.size() == Stretches::kParts) return false;
    Stretches::Part& part = out.emplace_back();
    return filled([&part](std::uint32_t key, std::uint64_t n) {
      part.push_back({key, static_cast<std::uint32_t>(std::min<std::uint64_t>(n, UINT32_MAX))});
    });
  }

  // "8123:5 8124:9"
  template <class Take>
  bool filled(Take&& take) {
    std::string_view rest;
    if (json_.peek() != '"' || !json_.string(rest, room_)) return false;
    while (!rest.empty()) {
      const std::string_view one = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(one.size() + 1, rest.size()));
      const std::size_t colon = one.find(':');
      if (colon == std::string_view::npos) return false;
      const auto place = parse_number<std::uint32_t>(one.substr(0, colon));
      const auto count = parse_number<std::uint64_t>(one.substr(colon + 1));
      if (!place || !count) return false;
      take(*place, *count);
    }
    return true;
  }

  template <class Member>
  bool members(Member&& member) {
    if (!json_.accept('{')) return false;
    if (json_.accept('}')) return true;
    do {
      std::string_view key;
      if (json_.peek() != '"' || !json_.string(key, room_) || !json_.accept(':') || !member(key))
        return false;
    } while (json_.accept(','));
    return json_.accept('}');
  }

  template <class Item>
  bool items(Item&& item) {
    if (!json_.accept('[')) return false;
    if (json_.accept(']')) return true;
    do {
      if (!item()) return false;
    } while (json_.accept(','));
    return json_.accept(']');
  }

  bool text(std::string& out) {
    std::string_view view;
    if (json_.peek() != '"' || !json_.string(view, room_)) return false;
    out = view;
    return true;
  }
  bool texts(std::vector<std::string>& out) {
    return items([&] { return text(out.emplace_back()); });
  }
  template <class T>
  bool number(T& out) {
    std::string_view digits;
    if (!json_.number(digits)) return false;
    const auto value = parse_number<T>(digits);
    if (value) out = *value;
    return value.has_value();
  }
  bool milliseconds(Duration& out) {
    std::string_view digits;
    if (!json_.number(digits)) return false;
    const auto value = parse_milliseconds(digits);
    if (value) out = *value;
    return value.has_value();
  }

  JsonText json_;
  std::string room_;
  bool complete_ = false;  // it has sketches, if none of anything
};

}  // namespace

bool begins_report(std::string_view text) {
  JsonText json(text);
  std::string room;
  room.reserve(text.size());
  std::string_view key, type;
  return json.accept('{') && json.peek() == '"' && json.string(key, room) && key == "type" &&
         json.accept(':') && json.peek() == '"' && json.string(type, room) && type == "report";
}

Result<SavedReport> read_report(std::string_view text) {
  SavedReport report;
  if (text.size() <= kLargestReport && Reader(text).read(report)) return report;
  return Error{"a broken report",
               "it is cut, was changed, or is of a plumb that kept nothing for a baseline"};
}

}  // namespace plumb::replay
