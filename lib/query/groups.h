// Groups: rows counted and measured by the values of some fields, for --summary and --top.
//
// A group is a distinct combination of the key fields' values, unknown being a value too. Each keeps how many
// rows it had, how many of them failed, and quantiles of the measured fields. Memory is bounded: at most
// `limit` groups are told apart, rows of any further one are counted in `other`; a group takes 1 KiB for each
// power of two that a measured field spans (66 KiB when durations or sizes span all of theirs). A row of a
// group that is known allocates nothing, unless a measured field reaches a power of two for the first time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "event/field.h"
#include "query/quantiles.h"

namespace plumb {

// A Value that outlives its event. Lists become text, their items joined by ", ".
class OwnedValue {
 public:
  explicit OwnedValue(const Value& value);
  // Valid as long as this is.
  Value view() const { return is_text_ ? Value{std::string_view(text_)} : value_; }

 private:
  Value value_;
  std::string text_;
  bool is_text_ = false;
};

struct Group {
  std::vector<OwnedValue> keys;      // in the order of GroupBy::keys; empty for `other`
  std::uint64_t count = 0;           // rows
  std::uint64_t recent = 0;          // rows since the last next_interval()
  std::uint64_t previous = 0;        // rows of the interval before
  std::uint64_t judged = 0;          // rows whose outcome is known
  std::uint64_t failed = 0;          // of those, the ones that mean trouble (FieldSpec::alerts)
  std::uint64_t idle_intervals = 0;  // intervals that ended without a row, since its last row
  std::vector<Quantiles> measures;   // in the order of GroupBy::measures; durations in nanoseconds

  // Of the rows whose outcome is known; nothing where there are none.
  std::optional<double> share_failed() const {
    return judged == 0 ? std::nullopt
                       : std::optional(static_cast<double>(failed) / static_cast<double>(judged));
  }
};

struct GroupBy {
  std::vector<std::size_t> keys;      // indexes of the schema's fields; empty: one group of all rows
  std::vector<std::size_t> measures;  // indexes of numeric fields
  std::size_t limit = 1000;           // groups told apart
  std::uint64_t forget_after = 0;     // intervals without a row after which a group joins `other`; 0: never
};

// How groups are ordered. Equal ones are ordered by their keys, so that a table that is redrawn does not
// flicker.
struct GroupOrder {
  enum class By : std::uint8_t { count, recent, previous, failed, share_failed, quantile, max, sum };
  By by = By::count;
  std::size_t measure = 0;  // for quantile, max and sum
  double quantile = 0.99;
  bool ascending = false;  // unknown values come last either way
};

class Groups {
 public:
  // `schema` outlives this.
  Groups(const Schema& schema, GroupBy by);

  void observe(const Row& row);
  // Ends an interval: `recent` moves to `previous`, and groups that were idle for long enough join `other`.
  void next_interval();

  // The best `most` groups in `order`. The pointers are good until the next call of next_interval() or the
  // end of this.
  std::vector<const Group*> sorted(const GroupOrder& order,
                                   std::size_t most = static_cast<std::size_t>(-1)) const;
  std::size_t size() const { return groups_.size(); }
  // What was not told apart; count 0 while all was.
  const Group& other() const { return other_; }
  // All rows, `other` included.
  std::uint64_t rows() const { return rows_; }
  const GroupBy& by() const { return by_; }

  // The fields worth measuring where nothing else is said: durations and sizes.
  static std::vector<std::size_t> default_measures(const Schema& schema);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };

  void write_key(const Row& row);
  Group& group_of(const Row& row);
  Group make_group() const;
  bool failed(const Row& row, Group& group) const;

  const Schema* schema_;
  GroupBy by_;
  std::size_t outcome_ = Schema::npos;  // the first field with alerts
  std::unordered_map<std::string, std::unique_ptr<Group>, Hash, std::equal_to<>>
      groups_;       // by encoded key values
  std::string key_;  // of the row at hand; reused
  Group other_;
  std::uint64_t rows_ = 0;
};

}  // namespace plumb
