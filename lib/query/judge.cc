#include "query/judge.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace plumb {

Result<Judge> Judge::compile(const std::vector<std::string>& expressions, const Schema& schema,
                             std::vector<std::size_t> by, TypeMask counted) {
  Judge judge;
  judge.counted_ = counted;
  judge.schema_ = &schema;
  judge.expressions_ = expressions;
  judge.by_ = GroupFields(schema, std::move(by));
  for (const std::string& text : expressions) {
    auto threshold = Threshold::compile(text, schema, counted);
    if (!threshold) return std::move(threshold).error();
    judge.all_.push_back(*std::move(threshold));
  }
  return judge;
}

// They compiled once and do so again.
std::vector<Threshold> Judge::fresh() const {
  std::vector<Threshold> thresholds;
  for (const std::string& text : expressions_) {
    auto again = Threshold::compile(text, *schema_, counted_);
    if (!again) continue;
    if (ordered_) again->keep_order();
    thresholds.push_back(*std::move(again));
  }
  return thresholds;
}

void Judge::keep_order() {
  ordered_ = true;
  for (Threshold& threshold : all_) threshold.keep_order();
}

Judge::Group& Judge::find() {
  if (const auto found = by_key_.find(key_); found != by_key_.end()) return *found->second;
  const bool full = by_key_.size() >= kMaxGroups;
  if (full && other_ != nullptr) return *other_;
  groups_.push_back(std::make_unique<Group>(Group{full ? "(other)" : by_.text_of(key_), fresh(), false}));
  Group& group = *groups_.back();
  if (full) {
    other_ = &group;
  } else {
    by_key_.emplace(key_, &group);
  }
  return group;
}

void Judge::observe(const Row& row) {
  if (all_.empty()) return;
  if (!by_group()) {
    for (Threshold& threshold : all_) threshold.observe(row);
    return;
  }
  by_.key_of(row, key_);
  Group& group = find();
  if (!group.seen) group.seen = true, ++seen_;
  for (Threshold& threshold : group.thresholds) threshold.observe(row);
}

void Judge::observe_base(const Row& row) {
  if (by_group()) by_.key_of(row, key_);
  for (Threshold& threshold : by_group() ? find().thresholds : all_) threshold.observe_base(row);
}

Result<void> Judge::set_base(const std::vector<Sketch>& sketches) {
  for (const Threshold& threshold : all_) {
    for (const std::string& source : threshold.base_sources()) {
      if (std::ranges::find(sketches, source, &Sketch::of) != sketches.end()) continue;
      std::set<std::string> kept;
      for (const Sketch& s : sketches) kept.insert(s.of);
      std::string has;
      for (const std::string& name : kept) has += (has.empty() ? "" : ", ") + name;
      return Error{"the report keeps nothing of " + source,
                   "a report keeps what its --fail-if are about: " + has,
                   "take the run's JSON lines, or a report with a --fail-if about it"};
    }
  }
  std::unordered_map<std::string_view, std::vector<Threshold>*> groups;
  if (by_group()) {
    for (const auto& group : groups_) groups.emplace(group->name, &group->thresholds);
  } else {
    groups.emplace(std::string_view{}, &all_);
  }
  for (const Sketch& kept : sketches) {
    const auto found = groups.find(kept.group);
    if (found == groups.end()) continue;  // a group of the baseline alone
    for (Threshold& threshold : *found->second) threshold.set_base(kept);
  }
  return {};
}

namespace {

void append_sketches(std::vector<Sketch>& out, const std::vector<Threshold>& thresholds,
                     const std::string& group) {
  std::set<std::string> seen;
  for (const Threshold& threshold : thresholds) {
    for (Sketch& sketch : threshold.sketches()) {
      if (!seen.insert(sketch.of).second) continue;
      sketch.group = group;
      out.push_back(std::move(sketch));
    }
  }
}

}  // namespace

std::vector<Sketch> Judge::sketches() const {
  std::vector<Sketch> out;
  if (seen_ == 0) append_sketches(out, all_, {});
  for (const auto& group : groups_) {
    if (group->seen) append_sketches(out, group->thresholds, group->name);
  }
  return out;
}

bool Judge::uses_base() const {
  return std::ranges::any_of(all_, &Threshold::uses_base);
}

std::vector<Judged> Judge::evaluate(Duration elapsed) const {
  std::vector<Judged> verdicts;
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (seen_ == 0) verdicts.push_back({all_[i].text(), {}, all_[i].evaluate(elapsed, base_elapsed_)});
    for (const auto& group : groups_) {
      if (!group->seen) continue;
      verdicts.push_back(
          {all_[i].text(), group->name, group->thresholds[i].evaluate(elapsed, base_elapsed_)});
    }
  }
  return verdicts;
}

}  // namespace plumb
