// What a tool is to the run loop: a schema, its own options, the probes that it holds, and what their records mean.
// Everything else is shared.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/command_table.h"
#include "cli/option.h"
#include "event/field.h"
#include "otlp/telemetry.h"
#include "probe/features.h"
#include "probe/privileges.h"
#include "probe/probe.h"
#include "proc/process.h"
#include "profile/write.h"
#include "query/judge.h"
#include "query/predicate.h"
#include "query/summary.h"
#include "run/common_options.h"
#include "sink/formats.h"
#include "sink/sink.h"
#include "sink/top.h"

namespace plumb {

// The way of an event after the tool decoded it: filters, summary, then every sink. Tools only push.
class Pipeline {
 public:
  virtual ~Pipeline() = default;
  // False once no more is wanted (--count reached, the reader is gone): stop draining.
  virtual bool push(const Row& row) = 0;
};

// What the run loop offers a tool from attach() on. It outlives the tool's probes.
struct Session {
  const CommonOptions& options;
  const TaskFilter& filter;
  // Conditions of --where that all have to hold. A tool may leave out in the kernel what fails one of them.
  const std::vector<Condition>& conditions;
  Features& features;
  ProcessCache& processes;
  BootClock& clock;
  Pipeline& out;
};

class Tool {
 public:
  virtual ~Tool() = default;

  // The tool's own options, bound to this object.
  virtual OptionTable options() = 0;
  // Binds the options that all tools share, once, before anything below is asked; they outlive the tool. Without it
  // they are as without any option. An Error is a wrong command line (exit 2).
  Result<void> bind(const CommonOptions& common) {
    common_ = &common;
    return check();
  }

  // The rows that this run gives: the tool's lines or, with --summary, its aggregates.
  virtual const Schema& schema() const = 0;
  // The table's columns without --columns or --wide, by key; empty: the fields that the schema marks as
  // shown.
  virtual std::vector<std::string> columns() const { return {}; }
  // Rows that its table tells in sentences.
  virtual Sentences sentences() const { return {}; }
  // The types of rows that --top counts; of the others it takes sizes and durations.
  virtual TypeMask counted_types() const { return kAllTypes; }
  // What --top groups by in this run, by key; empty: the fields that the schema marks as `group`.
  virtual std::vector<std::string> group_by() const { return {}; }
  // The live table of --top where rows in groups would not tell what matters; nullptr: rows in groups. `screen` and
  // `clock` outlive it.
  virtual std::unique_ptr<TopSink> make_top(Screen&, const ClockSource&, const TopStyle&) { return nullptr; }
  // How its flame graph looks; only asked of a tool with that format.
  virtual profile::SvgStyle svg_style() const { return {}; }
  // Whether --interval means something to it beside --top.
  virtual bool takes_interval() const { return false; }
  // The hooks and their variants, of all its probes. `wanted` says which of them this run has a use for.
  virtual std::vector<Hook> hooks() const = 0;

  // Opens its probes, loads and attaches: when it returns every one is in place.
  virtual Result<void> attach(Session& session) = 0;
  // Once privileges are dropped, before the trace is said to be ready: what of attaching parses bytes from outside.
  virtual Result<void> confined() { return {}; }
  // Whether it opens files below other processes' roots while it runs (openat2, which no filter of system calls can look
  // into).
  virtual bool opens_in_other_roots() const { return false; }
  // Those of them that are open, in the order in which they are drained.
  virtual std::vector<AnyProbe*> probes() = 0;
  // After each drain of the probes: what the tool gathers by itself.
  virtual Result<void> drained() { return {}; }
  // The stage that adds rows up for --summary, in the tool's own way. Called once, before attach(); finish() may give it
  // what the kernel added up.
  virtual std::unique_ptr<Summary> make_summary() { return nullptr; }
  // The same stage for saved lines, which are rows of `lines`: the fields of its schema, but no events of its own.
  virtual std::unique_ptr<Summary> make_summary_of_saved(const Schema&) const { return nullptr; }
  // A stage around the one that adds rows up for --summary, whichever it is: for a tool that counts something of its own
  // along with it. The rows have the fields of `lines`, also where they are saved ones.
  virtual std::unique_ptr<Summary> count_along(std::unique_ptr<Summary> summary, const Schema& /*lines*/) {
    return summary;
  }
  // The types of rows that --fail-if and --count are about. Less than all when --summary needs rows that were
  // not asked for.
  virtual TypeMask judged_types() const { return kAllTypes; }
  // The condition (of --where) by which a row is a half whose other half was not seen; empty: nothing is paired. A report
  // counts these rows, and beside them the halves that are in no row.
  virtual std::string_view unpaired() const { return {}; }
  virtual std::uint64_t unpaired_untold() const { return 0; }
  // Whether --fail-if is over figures of the tool's own, not over its rows: check() compiles the expressions then, and
  // verdicts() evaluates them, asked after finish().
  virtual bool judges_itself() const { return false; }
  virtual std::vector<Judged> verdicts() { return {}; }
  // Once the probes are off and drained: what only comes at the end.
  virtual Result<void> finish() { return {}; }
  // The stacks of the run, for the outputs that are of stacks (wants_stacks); asked once, after finish(). What it leaves
  // empty of the description (command, host, start, duration) and the losses are filled in.
  virtual profile::Profile* profile() { return nullptr; }
  // What there is to say on standard error about what was not shown, once all output has been given.
  virtual void remark() {}
  // The same about what count_along() counted, which may be saved lines: then nothing was traced.
  virtual void remark_on_counts() {}

 protected:
  // Checks that need more than one option.
  virtual Result<void> check() { return {}; }
  const CommonOptions& common() const { return *common_; }

 private:
  static const CommonOptions& no_options() {
    static const CommonOptions kNone;
    return kNone;
  }
  const CommonOptions* common_ = &no_options();
};

// What is known of a tool without running it; tool_command() makes a row of the command table of it.
struct ToolInfo {
  std::string_view name;
  std::string_view summary;      // half a line, for `plumb --help`
  std::string_view description;  // paragraphs, for TOOL --help and the man page
  const Schema* schema;          // lines
  const Schema* summary_schema;  // --summary; nullptr: the generic one
  std::span<const Example> examples;
  std::span<const std::string_view> formats = kLineFormats;  // of kFormatNames; the default first
  // Capabilities beside those that loading takes, without which it knows less: doctor's setcap line names them.
  std::span<const Capability> profits = {};
  const otlp::Telemetry* telemetry =
      nullptr;  // what its lines are as spans and metrics; nullptr: log records alone
  std::unique_ptr<Tool> (*make)();
};

}  // namespace plumb
