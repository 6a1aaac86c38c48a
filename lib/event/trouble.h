// Which events mean trouble, by what their fields say: one answer for a table's colours, FAILED in --top and in --summary.
#pragma once

#include <algorithm>
#include <string_view>
#include <variant>
#include <vector>

#include "event/field.h"

namespace plumb {

// The field can say that something went wrong.
constexpr bool can_mean_trouble(const FieldSpec& f) {
  return !f.alerts.empty() || f.alert_from != 0;
}

inline bool means_trouble(const FieldSpec& f, const Value& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value))
    return f.alert_from != 0 && *number >= f.alert_from;
  std::string_view text;
  if (const auto* name = std::get_if<Name>(&value)) text = name->text;
  if (const auto* words = std::get_if<std::string_view>(&value)) text = *words;
  return !text.empty() && std::find(f.alerts.begin(), f.alerts.end(), text) != f.alerts.end();
}

// The fields of a schema that can.
class Trouble {
 public:
  Trouble() = default;
  explicit Trouble(const Schema& schema) : schema_(&schema) {
    for (std::size_t i = 0; i < schema.size(); ++i) {
      if (can_mean_trouble(schema.spec(i))) fields_.push_back(i);
    }
  }

  bool can_be() const { return !fields_.empty(); }
  bool in(const Row& row) const {
    return std::any_of(fields_.begin(), fields_.end(), [&](std::size_t field) {
      return row.carries(field) && means_trouble(schema_->spec(field), row.get(field));
    });
  }

 private:
  const Schema* schema_ = nullptr;
  std::vector<std::size_t> fields_;
};

}  // namespace plumb
