#include "query/groups.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "query/scalar.h"

namespace plumb {
namespace {

void append_bytes(std::string& out, const void* data, std::size_t size) {
  out.append(static_cast<const char*>(data), size);
}

void append_text(std::string& out, std::string_view text) {
  const std::size_t size = text.size();
  append_bytes(out, &size, sizeof size);
  out += text;
}

// Equal values, and only those, have equal encodings. Lengths stand before texts, so that no two keys run
// together.
void append_encoded(std::string& out, const Value& value) {
  out += static_cast<char>(value.index());
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          append_text(out, v);
        } else if constexpr (std::is_same_v<T, Name>) {
          append_text(out, v.text);
        } else if constexpr (std::is_same_v<T, TextList>) {
          const std::size_t size = v.size();
          append_bytes(out, &size, sizeof size);
          for (const std::string_view item : v) append_text(out, item);
        } else if constexpr (std::is_same_v<T, IpAddress>) {
          out += static_cast<char>(v.family());
          append_bytes(out, v.bytes().data(), v.bytes().size());
        } else if constexpr (!std::is_same_v<T, None>) {
          append_bytes(out, &v, sizeof v);  // a number: no padding in any of them
        }
      },
      value);
}

Value value_of(const Row& row, std::size_t field) {
  return row.carries(field) ? row.get(field) : Value{None{}};
}

void add(Group& to, const Group& from) {
  to.count += from.count;
  to.recent += from.recent;
  to.previous += from.previous;
  to.judged += from.judged;
  to.failed += from.failed;
  for (std::size_t i = 0; i < to.measures.size(); ++i) to.measures[i].merge(from.measures[i]);
}

std::optional<double> rank_of(const Group& g, const GroupOrder& order) {
  using By = GroupOrder::By;
  const Quantiles* q = order.measure < g.measures.size() ? &g.measures[order.measure] : nullptr;
  switch (order.by) {
    case By::count:
      return static_cast<double>(g.count);
    case By::recent:
      return static_cast<double>(g.recent);
    case By::previous:
      return static_cast<double>(g.previous);
    case By::failed:
      return static_cast<double>(g.failed);
    case By::share_failed:
      return g.share_failed();
    case By::quantile:
      return q == nullptr ? std::nullopt : q->quantile(order.quantile);
    case By::max:
      return q == nullptr ? std::nullopt : q->max();
    case By::sum:
      return q == nullptr || q->count() == 0 ? std::nullopt : std::optional(q->sum());
  }
  return std::nullopt;
}

}  // namespace

OwnedValue::OwnedValue(const Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    text_ = *text;
    is_text_ = true;
  } else if (const auto* list = std::get_if<TextList>(&value)) {
    for (const std::string_view item : *list) {
      if (!text_.empty()) text_ += ", ";
      text_ += item;
    }
    is_text_ = true;
  } else {
    value_ = value;
  }
}

Groups::Groups(const Schema& schema, GroupBy by) : schema_(&schema), by_(std::move(by)) {
  for (std::size_t i = 0; i < schema.size() && outcome_ == Schema::npos; ++i) {
    if (!schema.spec(i).alerts.empty()) outcome_ = i;
  }
  other_ = make_group();
}

std::vector<std::size_t> Groups::default_measures(const Schema& schema) {
  std::vector<std::size_t> fields;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldType type = schema.spec(i).type;
    if (type == FieldType::duration || type == FieldType::bytes) fields.push_back(i);
  }
  return fields;
}

Group Groups::make_group() const {
  Group g;
  g.measures.resize(by_.measures.size());
  return g;
}

void Groups::write_key(const Row& row) {
  key_.clear();
  for (const std::size_t field : by_.keys) append_encoded(key_, value_of(row, field));
}

Group& Groups::group_of(const Row& row) {
  write_key(row);
  if (const auto found = groups_.find(std::string_view(key_)); found != groups_.end()) return *found->second;
  if (groups_.size() >= by_.limit) return other_;
  auto group = std::make_unique<Group>(make_group());
  for (const std::size_t field : by_.keys) group->keys.emplace_back(value_of(row, field));
  return *groups_.emplace(key_, std::move(group)).first->second;
}

bool Groups::failed(const Row& row, Group& group) const {
  const Value value = outcome_ == Schema::npos ? Value{None{}} : value_of(row, outcome_);
  std::string_view text;
  if (const auto* name = std::get_if<Name>(&value)) {
    text = name->text;
  } else if (const auto* view = std::get_if<std::string_view>(&value)) {
    text = *view;
  } else {
    return false;
  }
  ++group.judged;
  const auto alerts = schema_->spec(outcome_).alerts;
  return std::find(alerts.begin(), alerts.end(), text) != alerts.end();
}

void Groups::observe(const Row& row) {
  Group& group = group_of(row);
  ++rows_;
  ++group.count;
  ++group.recent;
  group.idle_intervals = 0;
  if (failed(row, group)) ++group.failed;
  for (std::size_t i = 0; i < by_.measures.size(); ++i) {
    const auto scalar = query::Scalar::of(value_of(row, by_.measures[i]));
    if (scalar) group.measures[i].observe(scalar->value());
  }
}

void Groups::next_interval() {
  const auto end = [](Group& g) {
    g.previous = std::exchange(g.recent, 0);
    g.idle_intervals = g.previous == 0 ? g.idle_intervals + 1 : 0;
  };
  end(other_);
  for (auto i = groups_.begin(); i != groups_.end();) {
    Group& g = *i->second;
    end(g);
    if (by_.forget_after != 0 && g.idle_intervals >= by_.forget_after) {
      add(other_, g);
      i = groups_.erase(i);
    } else {
      ++i;
    }
  }
}

std::vector<const Group*> Groups::sorted(const GroupOrder& order, std::size_t most) const {
  struct Entry {
    bool known;
    double rank;
    const std::string* key;
    const Group* group;
  };
  std::vector<Entry> entries;
  entries.reserve(groups_.size());
  for (const auto& [key, group] : groups_) {
    const auto rank = rank_of(*group, order);
    const bool known = rank.has_value() && !std::isnan(*rank);  // a sum of the largest doubles is no number
    entries.push_back({known, known ? *rank : 0, &key, group.get()});
  }
  const auto before = [&](const Entry& a, const Entry& b) {
    if (a.known != b.known) return a.known;
    if (a.rank != b.rank) return order.ascending ? a.rank < b.rank : a.rank > b.rank;
    return *a.key < *b.key;
  };
  most = std::min(most, entries.size());
  std::partial_sort(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(most), entries.end(),
                    before);
  std::vector<const Group*> groups;
  for (std::size_t i = 0; i < most; ++i) groups.push_back(entries[i].group);
  return groups;
}

}  // namespace plumb
