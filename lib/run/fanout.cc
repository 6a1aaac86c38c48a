#include "run/fanout.h"

#include <algorithm>

namespace plumb {

Result<Expressions> Expressions::compile(const CommonOptions& options, const Schema& events) {
  Expressions out;
  for (const std::string& text : options.where) {
    auto predicate = Predicate::compile(text, events);
    if (!predicate) return std::move(predicate).error();
    out.where.push_back(*std::move(predicate));
  }
  for (const std::string& text : options.fail_if) {
    auto threshold = Threshold::compile(text, events);
    if (!threshold) return std::move(threshold).error();
    out.thresholds.push_back(*std::move(threshold));
  }
  return out;
}

Fanout::Fanout(std::vector<std::unique_ptr<Sink>> sinks, Expressions& expressions, const Schema& events,
               Tool& tool, const CommonOptions& options)
    : sinks_(std::move(sinks)),
      expressions_(expressions),
      events_(events),
      tool_(tool),
      aggregate_(options.summary),
      judged_(tool.judged_types(options)),
      limit_(options.count) {}

bool Fanout::push(const Row& row) {
  if (done()) return false;
  if (&row.schema() == &events_) {
    const auto& where = expressions_.where;
    if (!std::all_of(where.begin(), where.end(), [&](const Predicate& p) { return p(row); })) return true;
    if ((judged_ >> row.type() & 1U) != 0) {
      for (Threshold& threshold : expressions_.thresholds) threshold.observe(row);
      ++kept_;
    }
    if (aggregate_) {
      tool_.summarize(row);
      return !done();
    }
  }
  for (auto& sink : sinks_) note(sink->row(row));
  return !done();
}

bool Fanout::push(const Stack& stack) {
  if (done()) return false;
  for (auto& sink : sinks_) note(sink->stack(stack));
  ++kept_;
  return !done();
}

void Fanout::lost(const Loss& loss) {
  for (auto& sink : sinks_) note(sink->lost(loss));
}

void Fanout::for_each(Result<void> (Sink::*step)()) {
  for (auto& sink : sinks_) note((sink.get()->*step)());
}

void Fanout::note(Result<void> r) {
  if (!r && !error_) error_ = std::move(r).error();
}

}  // namespace plumb
