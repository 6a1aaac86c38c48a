// The one definition of an option. Parsing, --help, the man page and the shell completions all walk these
// tables.
//
//   constexpr auto kOptions = std::to_array<Option<MyOptions>>({
//       {{.name = "port", .metavar = "PORT[,...]", .repeatable = true, .help = "..."},
//        [](MyOptions& o, std::string_view value) -> Result<void> { ... }},
//       ...});
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace plumb {

// What a shell completes after the option.
enum class Completes : std::uint8_t {
  nothing,
  file,
  directory,
  pid,
  comm,
  user,
  container,
  device,
  field,
  field_list,
  values,
  offers
};

struct OptionSpec {
  std::string_view name;          // long name without dashes: "pid"
  char short_name = 0;            // 'p', or 0
  std::string_view metavar = {};  // "PID[,PID...]"; empty: a flag
  bool optional_value = false;    // --otlp[=URL]
  bool repeatable = false;
  std::span<const std::string_view> values = {};  // the only values allowed, where there is such a set;
                                                  // listed behind a help that does not name them all
  std::span<const std::string_view> offers =
      {};  // words that a shell completes in a list; others are valid too
  Completes completes = Completes::nothing;
  std::string_view group = "Options";  // heading in --help and the man page
  std::string_view help;               // one or two sentences
  bool hidden = false;
  bool of_saved = false;  // a tool's own option that has an effect on saved lines, too
};

template <class Target>
struct Option {
  OptionSpec spec;
  // Called once for each occurrence; a flag gets "". An Error's `what` and `why` are shown with the option's
  // name.
  Result<void> (*apply)(Target&, std::string_view value);
};

// A table bound to the struct that it fills, with the struct's type erased.
class OptionTable {
 public:
  template <class Target, std::size_t N>
  static OptionTable of(const std::array<Option<Target>, N>& options, Target& target) {
    OptionTable t;
    t.table_ = options.data();
    t.size_ = N;
    t.target_ = &target;
    t.spec_ = [](const void* table, std::size_t i) -> const OptionSpec& {
      return static_cast<const Option<Target>*>(table)[i].spec;
    };
    t.apply_ = [](const void* table, std::size_t i, void* target_, std::string_view value) {
      return static_cast<const Option<Target>*>(table)[i].apply(*static_cast<Target*>(target_), value);
    };
    return t;
  }

  // The same table, but the option `name` takes only `values`, some of its own.
  OptionTable with_values(std::string_view name, std::span<const std::string_view> values) const {
    OptionTable t = *this;
    for (t.changed_ = 0; spec_(table_, t.changed_).name != name;) ++t.changed_;
    t.changed_spec_ = spec_(table_, t.changed_);
    t.changed_spec_.values = values;
    return t;
  }

  std::size_t size() const { return size_; }
  const OptionSpec& spec(std::size_t i) const { return i == changed_ ? changed_spec_ : spec_(table_, i); }
  Result<void> apply(std::size_t i, std::string_view value) const {
    return apply_(table_, i, target_, value);
  }

 private:
  const void* table_ = nullptr;
  std::size_t size_ = 0;
  void* target_ = nullptr;
  std::size_t changed_ = static_cast<std::size_t>(-1);  // the option whose values were narrowed
  OptionSpec changed_spec_;
  const OptionSpec& (*spec_)(const void*, std::size_t) = nullptr;
  Result<void> (*apply_)(const void*, std::size_t, void*, std::string_view) = nullptr;
};

// Whether the help of an option or field names all of its values: then no list of them is needed beside it.
bool names_all(std::string_view help, std::span<const std::string_view> values);

// Value parsers that several tables use. Each Error says what was expected.
Result<std::int64_t> parse_duration_ns(
    std::string_view text);  // "500ms", "10s", "2m", "1h", "20us", "5ns"; needs a unit
Result<std::uint64_t> parse_count(std::string_view text);  // a decimal number, > 0
std::vector<std::string_view> split_list(std::string_view text,
                                         char separator = ',');  // empty items are dropped

}  // namespace plumb
