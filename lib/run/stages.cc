#include "run/stages.h"

#include <algorithm>

namespace plumb {

Result<Expressions> Expressions::compile(const CommonOptions& options, const Schema& events, bool judges,
                                         TypeMask counted) {
  Expressions out;
  for (const std::string& text : options.where) {
    auto predicate = Predicate::compile(text, events);
    if (!predicate) return std::move(predicate).error();
    counted = predicate->types(events, counted);  // who asks for closes alone counts them
    out.where.push_back(*std::move(predicate));
  }
  auto by = group_fields(events, options.by);
  if (!by) return std::move(by).error();
  auto judge =
      Judge::compile(judges ? options.fail_if : std::vector<std::string>{}, events, *std::move(by), counted);
  if (!judge) return std::move(judge).error();
  out.judge = *std::move(judge);
  const auto keeps_sketches = [](const std::string& path) { return path.ends_with(".json"); };
  if (std::ranges::any_of(options.reports, keeps_sketches)) out.judge.keep_order();
  return out;
}

Stages::Stages(std::vector<std::unique_ptr<Sink>> sinks, Expressions& expressions, Setup setup)
    : sinks_(std::move(sinks)), expressions_(expressions), setup_(std::move(setup)), tally_(setup_.events) {}

std::optional<Predicate> Stages::condition(std::string_view text, const Schema& events) {
  if (text.empty()) return std::nullopt;
  auto compiled = Predicate::compile(text, events);
  return compiled ? std::optional<Predicate>(*std::move(compiled)) : std::nullopt;
}

bool Stages::wanted(const Row& row) const {
  return std::ranges::all_of(expressions_.where, [&](const Predicate& p) { return p(row); });
}

bool Stages::push_base(const Row& row) {
  if ((setup_.judged >> row.type() & 1U) != 0 && wanted(row)) expressions_.judge.observe_base(row);
  return true;
}

bool Stages::push(const Row& row) {
  if (done()) return false;
  if (&row.schema() == &setup_.events) {
    if (!wanted(row)) {
      tally_.leave_out();
      return true;
    }
    tally_.keep(row);
    if (setup_.unpaired && (*setup_.unpaired)(row)) ++unpaired_;
    if ((setup_.judged >> row.type() & 1U) != 0) {
      expressions_.judge.observe(row);
      ++kept_;
      if (setup_.owner != Schema::npos && std::holds_alternative<None>(row.get(setup_.owner)))
        ++without_owner_;
    }
    if (setup_.summary != nullptr) {
      setup_.summary->add(row);
      return !done();
    }
  }
  for (auto& sink : sinks_) note(sink->row(row));
  return !done();
}

void Stages::finish_summary() {
  if (setup_.summary == nullptr) return;
  setup_.summary->finish([this](const Row& row) { return push(row); });
  for (auto& sink : sinks_)
    sink->below([this](std::size_t columns) { return setup_.summary->below(columns); });
}

void Stages::lost(const Loss& loss) {
  for (auto& sink : sinks_) note(sink->lost(loss));
}

void Stages::for_each(Result<void> (Sink::*step)()) {
  for (auto& sink : sinks_) note((sink.get()->*step)());
}

void Stages::note(Result<void> r) {
  if (!r && !error_) error_ = std::move(r).error();
}

}  // namespace plumb
