// A JSON line that plumb wrote, read back by the field table that it was written by: what a field's type is there says what
// its value is here, so that there is no second definition of either.
//
//   LineReader reader(kQuerySchema);
//   if (reader.read(line) == LineKind::row) stages.push(Row(reader.schema(), reader.row()));
//
// Pure: no I/O, no clock. Lines are outside bytes: bounded, fuzzed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "event/field.h"
#include "replay/json_text.h"

namespace plumb::replay {

// An event as a line tells it: a view of the line and of its reader.
struct SavedRow {
  std::vector<Value> values;  // by field
  std::size_t type_index = 0;

  const Value& operator[](std::size_t i) const { return values[i]; }
  std::size_t type() const { return type_index; }
};

enum class LineKind : std::uint8_t {
  row,
  lost,    // {"type":"lost",...}: loss()
  other,   // of a type that the tool does not have: other_type()
  broken,  // why()
  empty,
};

class LineReader {
 public:
  // Longer lines are broken ones.
  static constexpr std::size_t kLongest = std::size_t{1} << 20;

  // `fields`: the tool's. It outlives the reader.
  explicit LineReader(const Schema& fields);
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // `line` without its newline; it outlives the use of row().
  LineKind read(std::string_view line);

  // The same fields, of SavedRows.
  const Schema& schema() const { return schema_; }
  const SavedRow& row() const { return row_; }
  // Of a loss: when it was noticed, and how many events.
  UnixTime lost_at() const { return lost_at_; }
  std::uint64_t lost_count() const { return lost_count_; }
  // Of a line of another type: its type as written, empty when it has none.
  std::string_view other_type() const { return type_text_; }
  // Of a broken line: "pid is no whole number".
  const std::string& why() const { return why_; }

  // In how many rows a field of their type was not there at all, by field: lines of an older plumb, or chosen ones.
  const std::vector<std::uint64_t>& missing() const { return missing_; }
  // In how many rows there were keys that no field has, by key; of the first kMostUnknown of them.
  const std::map<std::string, std::uint64_t, std::less<>>& unknown() const { return unknown_; }
  static constexpr std::size_t kMostUnknown = 16;

 private:
  struct ListPlace {
    std::size_t field, first, count;
  };

  bool members(JsonText& json);
  bool member(JsonText& json, std::string_view key);
  bool value(JsonText& json, std::size_t field);
  bool list(JsonText& json, std::size_t field);
  bool wrong(std::size_t field, std::string_view expected);
  std::size_t find(std::string_view key);
  LineKind finish();
  void note_missing();

  Schema schema_;
  std::vector<const FieldSpec*> specs_;
  std::size_t type_field_ = 0;
  std::vector<std::size_t> carried_;  // by type: how many fields its lines have

  SavedRow row_;
  std::vector<std::uint64_t> seen_;  // by field: the line in which it was seen last
  std::uint64_t line_ = 0;
  std::size_t next_ = 0;  // the field that most likely comes next
  std::string room_;      // texts that had escapes
  std::vector<std::string_view> items_;
  std::vector<ListPlace> lists_;
  std::vector<std::string_view> unknown_here_;
  std::string_view type_text_, count_text_, time_text_;
  UnixTime lost_at_;
  std::uint64_t lost_count_ = 0;
  std::string why_;
  std::vector<std::uint64_t> missing_;
  std::map<std::string, std::uint64_t, std::less<>> unknown_;
};

}  // namespace plumb::replay
