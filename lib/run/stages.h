// The way of an event once a tool decoded it: --where keeps or drops it, --fail-if takes note, --summary adds it up, or
// every sink gets it. A summary's rows go to the sinks at the end.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "query/judge.h"
#include "query/predicate.h"
#include "run/tally.h"
#include "run/tool.h"
#include "sink/sink.h"

namespace plumb {

// The compiled expressions of a run.
struct Expressions {
  std::vector<Predicate> where;  // all have to hold
  Judge judge;                   // of --fail-if

  // Against the schema of the tool's events, of which `counted` are counted; with `judge` false --fail-if is left to the
  // tool. An Error is a wrong command line.
  static Result<Expressions> compile(const CommonOptions& options, const Schema& events, bool judge = true,
                                     TypeMask counted = kAllTypes);
};

class Stages final : public Pipeline {
 public:
  struct Setup {
    const Schema& events;  // of the rows that the expressions are about; others (aggregates) pass by them
    TypeMask judged = kAllTypes;         // the types of rows that --fail-if and --count are about
    std::optional<std::uint64_t> limit;  // of --count
    std::unique_ptr<Summary> summary;    // nullptr: rows go to the sinks as they come
    std::size_t owner = Schema::npos;    // the field that names a row's owner, whose unknown ones are counted
    std::optional<Predicate> unpaired;   // rows that are counted apart: halves without their other half
  };
  // What a tool says of its own rows; nothing where it says nothing.
  static std::optional<Predicate> condition(std::string_view text, const Schema& events);
  Stages(std::vector<std::unique_ptr<Sink>> sinks, Expressions& expressions, Setup setup);

  bool push(const Row& row) override;
  // A row of the baseline, which only base(...) of --fail-if is about.
  bool push_base(const Row& row);
  void lost(const Loss& loss);
  void begin() { for_each(&Sink::begin); }
  void flush() { for_each(&Sink::flush); }
  void end() { for_each(&Sink::end); }

  // Rows from the end of the run (aggregates) do not count against --count.
  void lift_limit() { setup_.limit.reset(); }
  // Gives what the summary added up to the sinks.
  void finish_summary();
  // Rows that are in no row of the summary.
  std::uint64_t lost() const { return setup_.summary == nullptr ? 0 : setup_.summary->lost(); }
  bool done() const { return error_.has_value() || (setup_.limit && kept_ >= *setup_.limit); }
  std::uint64_t kept() const { return kept_; }
  // What the events were; those of a summary that the kernel makes are not among them.
  const Tally& tally() const { return tally_; }
  // Kept ones whose owner nobody knows.
  std::uint64_t without_owner() const { return without_owner_; }
  std::uint64_t unpaired() const { return unpaired_; }
  // The number of events that end the run; nothing: they do not.
  const std::optional<std::uint64_t>& limit() const { return setup_.limit; }
  // The first that a sink had; after it nothing more is wanted.
  const std::optional<Error>& error() const { return error_; }

 private:
  void for_each(Result<void> (Sink::*step)());
  void note(Result<void> r);
  bool wanted(const Row& row) const;

  std::vector<std::unique_ptr<Sink>> sinks_;
  Expressions& expressions_;
  Setup setup_;
  Tally tally_;
  std::uint64_t kept_ = 0;
  std::uint64_t without_owner_ = 0;
  std::uint64_t unpaired_ = 0;
  std::optional<Error> error_;
};

}  // namespace plumb
