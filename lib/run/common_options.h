// The options that mean the same in every tool (CONTRACT.md), and the struct that they fill.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/option.h"
#include "probe/filter.h"

namespace plumb {

enum class Format : std::uint8_t { table, json, csv, tsv, folded, svg, pprof, speedscope, firefox };
inline constexpr std::string_view kFormatNames[] = {"table", "json",  "csv",        "tsv",    "folded",
                                                    "svg",   "pprof", "speedscope", "firefox"};
// What a tool gives (ToolInfo::formats): the parser, --help, manual page and completions take these and no
// others.
inline constexpr std::span<const std::string_view> kLineFormats = std::span(kFormatNames).first(4);
inline constexpr std::span<const std::string_view> kLineAndStackFormats = std::span(kFormatNames);
enum class TimeStyle : std::uint8_t { local, utc, iso, relative, none };  // as TableStyle::Time
enum class ColorMode : std::uint8_t { automatic, always, never };

struct CommonOptions {
  // which events (in the kernel)
  std::vector<std::uint32_t> pids;
  std::vector<std::string> comms;
  std::optional<std::uint32_t> uid;
  std::vector<std::string> cgroups;     // paths as given
  std::vector<std::string> containers;  // names or id prefixes as given
  std::vector<std::string> pods;        // [NAMESPACE/]NAME as given
  std::optional<std::string> netns;
  std::optional<std::string> from;  // --from: saved lines instead of the kernel's events; "-": standard input
  std::vector<std::string> where;   // expressions; all have to hold
  std::vector<std::string> fail_if;     // expressions over aggregates
  std::optional<std::string> baseline;  // --baseline: lines or report of an earlier run, for base(...)
  bool strict = false;                  // what is inconclusive fails
  // how long
  std::optional<std::int64_t> duration_ns;
  std::optional<std::uint64_t> count;
  // what comes out
  std::optional<Format> format;
  Format default_format = Format::table;  // the tool's, where neither --format nor an ending says
  std::vector<std::string> outputs;       // files as given; empty: standard output
  std::vector<std::string> columns;
  bool wide = false;
  TimeStyle time = TimeStyle::local;
  bool time_given = false;
  bool port_names = false;  // --names ports
  ColorMode color = ColorMode::automatic;
  bool summary = false;
  std::vector<std::string> by;  // keys of fields: groups of --summary, --top and --fail-if
  std::string sort;             // of --summary, by key; empty: as it comes
  bool histogram = false;
  bool top = false;
  bool once = false;
  std::int64_t interval_ns = 1'000'000'000;
  bool interval_given = false;
  bool list_fields = false;
  bool json_schema = false;
  std::optional<std::string> otlp;        // a URL, or empty: OTEL_* says where to
  std::vector<std::string> otlp_signals;  // of otlp::kSignalNames; empty: those that fit the tool
  std::vector<std::string> otlp_spans;    // Telemetry::spans_name of those that are made only when asked for
  bool otlp_profiles = false;
  bool otlp_dry_run = false;
  bool otlp_url_template = false;
  // the run itself
  std::vector<std::string> reports;  // --report: files as given
  std::string ready_file;
  bool stats = false;
  bool verbose = false;
  bool quiet = false;
  std::vector<std::string> command;  // behind `--`; empty: none

  // A summary that the kernel can make alone: neither an expression nor --count, --by or --histogram has to see each event.
  bool kernel_summary() const {
    return !from && summary && where.empty() && fail_if.empty() && by.empty() && !count && !histogram;
  }
};

// `formats` are the values of --format.
OptionTable common_option_table(CommonOptions& options, std::span<const std::string_view> formats);

// Where a run's output goes, and as what.
struct OutputSpec {
  std::string path;  // empty: standard output
  Format format = Format::table;
};
// One for each --output, or one for standard output. The format is --format, else by the file's ending (.json, .jsonl,
// .csv, .tsv, .svg, .folded, .pb.gz, ...), else the default.
std::vector<OutputSpec> output_specs(const CommonOptions& options);
// Whether the format is of stacks added up, which come at the end, instead of rows.
bool is_aggregated(Format format);
// Whether some output is.
bool wants_stacks(const CommonOptions& options);

// Resolves paths, names and pids into what the kernel filters by.
Result<TaskFilter> resolve_filter(const CommonOptions& options);

}  // namespace plumb
