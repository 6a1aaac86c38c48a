#include "run/outputs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "event/group_sums.h"
#include "query/group_summary.h"
#include "query/histogram_summary.h"
#include "query/sorted_summary.h"
#include "run/terminal.h"

namespace plumb {
namespace {

TableStyle table_style(const Tool& tool, std::vector<std::size_t> columns, const CommonOptions& options,
                       const Output& output, const BootClock& clock) {
  TableStyle style;
  style.time = static_cast<TableStyle::Time>(options.time);
  // A file may be read on another day, in another place.
  if (!options.time_given && output.is_stored()) style.time = TableStyle::Time::iso;
  style.color = use_color(options.color, output.is_terminal());
  style.columns = std::move(columns);
  style.chosen = options.wide || !options.columns.empty();
  style.contents = options.summary;
  style.sentences = tool.sentences();
  style.started = clock.to_unix(clock.now());
  if (options.port_names) style.port_names = port_names();
  if (!output.is_terminal()) return style;
  style.size = [] {
    const TerminalSize size = terminal_size(STDOUT_FILENO);
    return std::pair(size.columns, size.rows);
  };
  std::tie(style.terminal_columns, style.terminal_rows) = style.size();
  style.footer = !style.chosen && !options.quiet;
  return style;
}

std::string_view name_of(Format format) {
  return kFormatNames[static_cast<std::size_t>(format)];
}

}  // namespace

std::shared_ptr<const PortNames> port_names() {
  constexpr std::size_t kMost = std::size_t{1} << 20;  // Debian's has 13 KB, IANA's list about 1 MB
  std::string services;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/etc/services", "re"), std::fclose);
  if (file != nullptr) {
    services.resize(kMost);
    services.resize(std::fread(services.data(), 1, kMost, file.get()));
  }
  return std::make_shared<PortNames>(services);
}

bool use_color(ColorMode mode, bool terminal) {
  if (mode != ColorMode::automatic) return mode == ColorMode::always;
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: any non-empty value
  return terminal && !dumb_terminal() && (no_color == nullptr || *no_color == '\0');
}

Result<std::vector<std::size_t>> chosen_columns(const Tool& tool, const Schema& rows,
                                                const CommonOptions& options) {
  if (!options.columns.empty()) return choose_columns(rows, options.columns, false);
  const bool own = !options.wide && &rows == &tool.schema();
  return choose_columns(rows, own ? tool.columns() : std::vector<std::string>{}, options.wide);
}

namespace {

bool gives(const ToolInfo& info, Format format) {
  return std::ranges::find(info.formats, name_of(format)) != info.formats.end();
}

Result<void> check_formats(const ToolInfo& info, const std::vector<OutputSpec>& specs) {
  for (const OutputSpec& spec : specs) {
    if (!gives(info, spec.format)) {  // by the ending of --output
      return Error{fmt::format("{} does not give {}", info.name, name_of(spec.format)),
                   fmt::format("it gives {}", fmt::join(info.formats, ", ")),
                   "choose with --format, or by another ending of --output"};
    }
    if (std::ranges::count(specs, spec.path, &OutputSpec::path) > 1) {
      return Error{fmt::format("--output names {} twice", spec.path.empty() ? "standard output" : spec.path)};
    }
  }
  return {};
}

// Options that would have no effect.
Result<void> check_idle(const ToolInfo& info, const Tool& tool, const CommonOptions& options,
                        const std::vector<OutputSpec>& specs) {
  const auto every = [&](std::initializer_list<Format> formats) {
    return std::ranges::all_of(
        specs, [&](const OutputSpec& s) { return std::ranges::find(formats, s.format) != formats.end(); });
  };
  const auto has = [&](Format format) {
    return std::ranges::find(specs, format, &OutputSpec::format) != specs.end();
  };
  if (options.interval_given && !options.top && !tool.takes_interval()) {
    return Error{"--interval without --top has no effect"};
  }
  if (!options.by.empty() && !options.summary && !options.top &&
      (options.fail_if.empty() || tool.judges_itself())) {
    return Error{"--by has no effect without --summary, --top or --fail-if", {}, "add --summary"};
  }
  if (options.wide && !options.columns.empty()) {
    return Error{"--wide and --columns exclude each other", "one shows all columns, the other chooses some"};
  }
  if (options.wide && every({Format::json}))
    return Error{"--wide has no effect on JSON lines", "they have every key"};
  if (options.wide && options.top)
    return Error{"--wide has no effect on --top", {}, "choose its groups by --by"};
  if (!options.columns.empty() && options.top) {
    return Error{"--columns has no effect on --top", {}, "choose its groups by --by"};
  }
  if (gives(info, Format::svg) && tool.svg_style().icicle && !has(Format::svg))
    return Error{"--icicle has no effect without a flame graph", {}, "add --format svg, or -o FILE.svg"};
  if (options.port_names && !options.top && !has(Format::table))
    return Error{"--names has no effect without a table", "other formats keep a port's number"};
  return {};
}

Result<void> check_histogram(const ToolInfo& info, const CommonOptions& options,
                             const std::vector<OutputSpec>& specs) {
  if (!options.histogram) return {};
  if (!options.summary) return Error{"--histogram has no effect without --summary", {}, "add --summary"};
  if (latency_field(*info.schema) == Schema::npos)
    return Error{fmt::format("--histogram: lines of {} have no latency", info.name)};
  if (std::ranges::find(specs, Format::table, &OutputSpec::format) == specs.end())
    return Error{"--histogram has no effect without a table", "it is drawn below one"};
  return {};
}

}  // namespace

Result<void> check_outputs(const ToolInfo& info, const Tool& tool, const CommonOptions& options) {
  const std::vector<OutputSpec> specs = output_specs(options);
  if (auto r = check_formats(info, specs); !r) return r;
  if (auto r = check_idle(info, tool, options, specs); !r) return r;
  if (auto r = check_histogram(info, options, specs); !r) return r;
  if (!options.sort.empty() && !options.summary) return Error{"--sort has no effect without --summary"};
  if (options.once && !options.top) return Error{"--once has no effect without --top"};
  if (options.top && options.summary) return Error{"--top and --summary exclude each other"};
  if (options.top && options.otlp_dry_run)
    return Error{"--top and --otlp-dry-run exclude each other", "both write to standard output"};
  const std::string name(name_of(specs.front().format));
  if (options.top && (specs.size() != 1 || specs.front().format != Format::table)) {
    return Error{
        "--top and " + (specs.size() != 1 ? "several outputs" : "--format " + name) + " exclude each other",
        "the live table is a table"};
  }
  if (!wants_stacks(options)) return {};
  for (const auto& [option, given] : {std::pair{"--summary", options.summary},
                                      {"--where", !options.where.empty()},
                                      {"--fail-if", !options.fail_if.empty() && !tool.judges_itself()},
                                      {"--columns", !options.columns.empty()},
                                      {"--wide", options.wide},
                                      {"--count", options.count.has_value()}}) {
    if (!given) continue;
    return Error{fmt::format("{} and --format {} exclude each other", option, name),
                 "stacks are counted in the kernel, where nobody looks at each event"};
  }
  return {};
}

Result<std::unique_ptr<Sink>> make_sink(Format format, const Tool& tool, const Schema& rows,
                                        const CommonOptions& options, Output& output,
                                        const BootClock& clock) {
  auto columns = chosen_columns(tool, rows, options);
  if (!columns) return std::move(columns).error();
  switch (format) {
    case Format::json:
      return make_json_sink(rows, output, options.columns.empty() ? std::vector<std::size_t>{} : *columns);
    case Format::table:
      return make_table_sink(rows, output, table_style(tool, *std::move(columns), options, output, clock));
    case Format::csv:
      return make_csv_sink(rows, output, *std::move(columns));
    case Format::tsv:
      return make_tsv_sink(rows, output, *std::move(columns));
    case Format::folded:
    case Format::svg:
    case Format::pprof:
    case Format::speedscope:
    case Format::firefox:
      break;
  }
  return Error{"nothing writes the format " + std::string(name_of(format))};
}

Result<std::vector<std::size_t>> groups_of(const ToolInfo& info, const Tool& tool,
                                           const CommonOptions& options) {
  if (!options.by.empty()) return group_fields(*info.schema, options.by);
  if (const auto keys = tool.group_by(); !keys.empty()) return group_fields(*info.schema, keys);
  std::vector<std::size_t> fields;
  for (std::size_t i = 0; i < info.schema->size(); ++i) {
    if (info.schema->spec(i).group) fields.push_back(i);
  }
  return fields;
}

namespace {

Result<std::unique_ptr<Summary>> unsorted_summary(const ToolInfo& info, Tool& tool,
                                                  const CommonOptions& options) {
  if (options.by.empty()) {
    if (auto own = tool.make_summary(); own != nullptr) return own;
  }
  auto by = groups_of(info, tool, options);
  if (!by) return std::move(by).error();
  return make_group_summary({*info.schema, *std::move(by), tool.judged_types()});
}

}  // namespace

Result<std::unique_ptr<Summary>> make_summary(const ToolInfo& info, Tool& tool,
                                              const CommonOptions& options) {
  if (!options.summary) return std::unique_ptr<Summary>{};
  auto summary = unsorted_summary(info, tool, options);
  if (!summary) return summary;
  summary = tool.count_along(*std::move(summary), *info.schema);
  if (!options.sort.empty()) summary = sort_summary(*std::move(summary), options.sort);
  if (!summary || !options.histogram) return summary;
  return with_histogram(*std::move(summary), *info.schema, tool.judged_types() & tool.counted_types());
}

}  // namespace plumb
