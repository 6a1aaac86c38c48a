// Fanout: the way of an event once a tool decoded it. --where keeps or drops it, --fail-if takes note, then
// every sink gets it, or, with --summary, the tool's own aggregates.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "query/predicate.h"
#include "query/threshold.h"
#include "run/tool.h"
#include "sink/sink.h"

namespace plumb {

// The compiled expressions of a run.
struct Expressions {
  std::vector<Predicate> where;       // all have to hold
  std::vector<Threshold> thresholds;  // of --fail-if

  // Against the schema of the tool's events. An Error is a wrong command line.
  static Result<Expressions> compile(const CommonOptions& options, const Schema& events);
};

class Fanout final : public Pipeline {
 public:
  // `events` is the schema to which the expressions belong; rows of another (aggregates) pass by them. With
  // --summary events go to tool.summarize() instead of the sinks.
  Fanout(std::vector<std::unique_ptr<Sink>> sinks, Expressions& expressions, const Schema& events, Tool& tool,
         const CommonOptions& options);

  bool push(const Row& row) override;
  bool push(const Stack& stack) override;
  void lost(const Loss& loss);
  void begin() { for_each(&Sink::begin); }
  void flush() { for_each(&Sink::flush); }
  void end() { for_each(&Sink::end); }

  // Rows from the end of the run (aggregates) do not count against --count.
  void lift_limit() { limit_.reset(); }
  bool done() const { return error_.has_value() || (limit_ && kept_ >= *limit_); }
  std::uint64_t kept() const { return kept_; }
  // The number of events that end the run; nothing: they do not.
  const std::optional<std::uint64_t>& limit() const { return limit_; }
  // The first that a sink had; after it nothing more is wanted.
  const std::optional<Error>& error() const { return error_; }

 private:
  void for_each(Result<void> (Sink::*step)());
  void note(Result<void> r);

  std::vector<std::unique_ptr<Sink>> sinks_;
  Expressions& expressions_;
  const Schema& events_;
  Tool& tool_;
  bool aggregate_;
  TypeMask judged_;
  std::optional<std::uint64_t> limit_;
  std::uint64_t kept_ = 0;
  std::optional<Error> error_;
};

}  // namespace plumb
