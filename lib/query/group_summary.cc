#include "query/group_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "event/group_sums.h"

namespace plumb {
namespace {

constexpr std::string_view kTypes[] = {"summary"};
constexpr std::string_view kOther = "(other)";

// A row of the result: the values of the group's fields, then what was added up.
struct GroupRow {
  const std::vector<Value>* values;
  Value operator[](std::size_t i) const { return (*values)[i]; }
};

class GroupSummary final : public Summary {
 public:
  explicit GroupSummary(const GroupSummarySetup& setup)
      : rows_(setup.rows),
        group_(setup.rows, setup.by),
        measures_(setup.rows, setup.counted, latency_field(setup.rows)) {
    lay_out();
    schema_ = Schema::of_specs<GroupRow>(specs_, kTypes);
  }

  const Schema& schema() const override { return schema_; }

  void add(const Row& row) override {
    group_.key_of(row, key_);
    measures_.add(row, find());
  }

  // Most frequent first; the others last.
  void finish(const Out& out) override {
    std::vector<const std::pair<const std::string, GroupSums>*> order;
    for (const auto& entry : groups_) {
      if (!entry.second.is_empty()) order.push_back(&entry);
    }
    std::ranges::sort(order, [](const auto* a, const auto* b) {
      return a->second.count != b->second.count ? a->second.count > b->second.count : a->first < b->first;
    });
    for (const auto* entry : order) {
      if (!give(group_.values_of(entry->first), entry->second, out)) return;
    }
    if (other_.count == 0) return;
    std::vector<Value> names;
    for (std::size_t i = 0; i < group_.size(); ++i) {
      names.push_back(group_.spec(i).type == FieldType::text ? Value{kOther} : Value{None{}});
    }
    give(std::move(names), other_, out);
  }

 private:
  void lay_out() {
    specs_.push_back({.key = "type",
                      .heading = "TYPE",
                      .type = FieldType::enumeration,
                      .width = 7,
                      .values = kTypes,
                      .help = "summary."});
    for (std::size_t i = 0; i < group_.size(); ++i) {
      FieldSpec spec = group_.spec(i);
      if (spec.key == "type") spec.key = "of";  // the lines' own
      spec.types = kAllTypes;
      spec.shown = true;
      specs_.push_back(spec);
    }
    number("count", "COUNT", "How many.");
    if (measures_.may_fail()) number("failed", "FAILED", "Of these: how many failed.");
    if (measures_.latency() != Schema::npos) {
      const std::string_view key = rows_.spec(measures_.latency()).key;
      const std::string base(key.substr(0, key.size() - std::string_view("_ms").size()));
      for (const auto& [name, heading] :
           {std::pair{"p50", "P50"}, {"p90", "P90"}, {"p99", "P99"}, {"max", "MAX"}}) {
        names_.push_back(std::make_unique<std::string>(fmt::format("{}_{}_ms", base, name)));
        specs_.push_back({.key = *names_.back(),
                          .heading = heading,
                          .type = FieldType::duration,
                          .width = 7,
                          .shown = true,
                          .help = "Of the rows where it is known; quantiles within 0.4 %."});
      }
    }
    for (const std::size_t i : measures_.sizes()) {
      FieldSpec spec = rows_.spec(i);
      spec.types = kAllTypes;
      spec.shown = true;
      specs_.push_back(spec);
    }
  }

  void number(std::string_view key, std::string_view heading, std::string_view help) {
    specs_.push_back({.key = key,
                      .heading = heading,
                      .type = FieldType::unsigned_integer,
                      .width = 7,
                      .shown = true,
                      .help = help});
  }

  GroupSums& find() {
    if (const auto found = groups_.find(key_); found != groups_.end()) return found->second;
    return groups_.size() >= kMaxGroups ? other_ : groups_.emplace(key_, measures_.nothing()).first->second;
  }

  bool give(std::vector<Value> values, const GroupSums& sums, const Out& out) const {
    values.insert(values.begin(), Name{kTypes[0]});
    values.emplace_back(sums.count);
    if (measures_.may_fail()) values.emplace_back(sums.failed);
    if (measures_.latency() != Schema::npos) {
      const auto duration = [&values](std::optional<double> ns) {
        constexpr double kMost = 9.2e18;  // an estimate may lie above what a Duration holds
        values.push_back(ns ? Value{Duration{static_cast<std::int64_t>(std::min(*ns, kMost))}}
                            : Value{None{}});
      };
      for (const double q : {0.5, 0.9, 0.99}) duration(sums.latency.quantile(q));
      duration(sums.latency.max());
    }
    for (const std::uint64_t n : sums.sizes) values.emplace_back(n);
    const GroupRow row{&values};
    return out(Row(schema_, row));
  }

  const Schema& rows_;
  GroupFields group_;
  GroupMeasures measures_;
  std::vector<std::unique_ptr<std::string>> names_;  // keys that specs_ views
  std::vector<FieldSpec> specs_;
  Schema schema_;
  std::unordered_map<std::string, GroupSums> groups_;
  GroupSums other_ = measures_.nothing();
  std::string key_;
};

}  // namespace

std::unique_ptr<Summary> make_group_summary(const GroupSummarySetup& setup) {
  return std::make_unique<GroupSummary>(setup);
}

}  // namespace plumb
