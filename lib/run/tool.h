// What a tool is to the run loop: a name, a schema, its own options, and five steps. Everything else is
// shared.
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
#include "probe/features.h"
#include "probe/missed_runs.h"
#include "proc/process.h"
#include "query/predicate.h"
#include "run/common_options.h"
#include "sink/formats.h"
#include "sink/sink.h"

struct bpf_object;

namespace plumb {

// The way of an event after the tool decoded it: filters, then every sink. Tools only push.
class Pipeline {
 public:
  virtual ~Pipeline() = default;
  // False once no more is wanted (--count reached, the reader is gone): stop draining.
  virtual bool push(const Row& row) = 0;
  virtual bool push(const Stack& stack) = 0;
};

// What the run loop offers a tool while it runs.
struct Session {
  const CommonOptions& options;
  const TaskFilter& filter;
  // Conditions of --where that all have to hold. A tool may leave out in the kernel what fails one of them.
  const std::vector<Condition>& conditions;
  Features& features;
  ProcessCache& processes;
  BootClock& clock;
};

class Tool {
 public:
  virtual ~Tool() = default;

  // The tool's own options, bound to this object.
  virtual OptionTable options() = 0;
  // Checks that need more than one option. An Error here is a wrong command line (exit 2).
  virtual Result<void> check(const CommonOptions&) { return {}; }
  // The rows that this run gives: the tool's lines or, with --summary, its aggregates.
  virtual const Schema& schema(const CommonOptions& options) const = 0;
  // The table's columns without --columns or --wide, by key; empty: the fields that the schema marks as
  // shown.
  virtual std::vector<std::string> columns(const CommonOptions&) const { return {}; }
  // What --top groups by in this run, by key; empty: the fields that the schema marks as `group`.
  virtual std::vector<std::string> group_by(const CommonOptions&) const { return {}; }
  // How its flame graph looks; only asked of a tool with that format.
  virtual FlameGraphStyle flame_graph(const CommonOptions&) const { return {}; }
  // The hooks and their variants, for choosing and for `doctor`.
  virtual std::vector<Hook> hooks() const = 0;

  // Opens, filters, loads, attaches: when it returns every probe is in place.
  virtual Result<void> attach(Session& session) = 0;
  // Consumes what waits. Called at least every 100 ms and when poll_fd() is readable.
  virtual Result<void> drain(Pipeline& out) = 0;
  virtual int poll_fd() const = 0;
  // Takes the probes off; after it the last drain() and then finish() follow.
  virtual void detach() = 0;
  // Adds an event to the tool's own summary; asked when --summary has to look at each event (--where,
  // --fail-if), so that the kernel cannot aggregate alone. finish() pushes the result.
  virtual void summarize(const Row&) {}
  // The types of rows that --fail-if and --count are about. Less than all when --summary needs rows that were
  // not asked for.
  virtual TypeMask judged_types(const CommonOptions&) const { return kAllTypes; }
  // What only comes at the end: aggregates.
  virtual Result<void> finish(Pipeline&) { return {}; }
  // What there is to say on standard error about what was not shown, once all output has been given.
  virtual void remark() {}

  // Events that found no room so far, as the kernel counted them; only ever grows.
  virtual std::uint64_t lost() const = 0;
  // Events that the hooks saw so far.
  virtual std::uint64_t seen() const = 0;
  // Runs of the tool's programs that the kernel skipped and no other program made up for; only ever grows.
  virtual std::uint64_t missed() const { return missed_runs(object()); }
  // The loaded object, for --stats (run counts of its programs). nullptr before attach().
  virtual const bpf_object* object() const = 0;
};

// What is known of a tool without running it; tool_command() makes a row of the command table of it.
struct ToolInfo {
  std::string_view name;
  std::string_view summary;      // half a line, for `plumb --help`
  std::string_view description;  // paragraphs, for TOOL --help and the man page
  const Schema* schema;          // lines
  const Schema* summary_schema;  // --summary; nullptr: the generic one
  std::span<const Example> examples;
  std::span<const std::string_view> formats = kLineFormats;  // of kFormatNames
  std::unique_ptr<Tool> (*make)();
};

}  // namespace plumb
