#include "run/common_options.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "otlp/config.h"
#include "proc/process.h"

namespace plumb {
namespace {

constexpr std::string_view kTimeStyles[] = {"local", "utc", "iso", "relative", "none"};
constexpr std::string_view kNames[] = {"ports"};
constexpr std::string_view kColorModes[] = {"auto", "always", "never"};

// Values out of a fixed set were checked by the parser (OptionSpec::values), so the search always succeeds.
template <class Enum, std::size_t N>
Enum pick(const std::string_view (&names)[N], std::string_view value) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == value) return static_cast<Enum>(i);
  }
  return static_cast<Enum>(0);
}

Result<std::uint32_t> parse_number(std::string_view text, const char* what) {
  std::uint32_t n = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, n);
  if (status != std::errc{} || rest != end) {
    return Error{"not " + std::string(what) + ": " + std::string(text), "expected a whole number"};
  }
  return n;
}

Result<void> set_format(CommonOptions& o, Format format) {
  if (o.format && *o.format != format) {
    return Error{"the formats " + std::string(kFormatNames[static_cast<std::size_t>(*o.format)]) + " and " +
                     std::string(kFormatNames[static_cast<std::size_t>(format)]) + " exclude each other",
                 "one run writes to one output in one format",
                 "several --output files each follow their ending"};
  }
  o.format = format;
  return {};
}

Result<void> add_pids(CommonOptions& o, std::string_view value) {
  const auto items = split_list(value);
  if (items.empty()) return Error{"no process id", "expected PID[,PID...]"};
  for (const std::string_view item : items) {
    auto pid = parse_number(item, "a process id");
    if (!pid) return std::move(pid).error();
    if (*pid == 0) return Error{"not a process id: 0", "process ids start at 1"};
    o.pids.push_back(*pid);
  }
  return {};
}

Result<void> set_uid(CommonOptions& o, std::string_view value) {
  if (auto uid = parse_number(value, "a user"); uid) {
    o.uid = *uid;
    return {};
  }
  // Not getpwnam(3): in a static executable it would load the C library's NSS modules of whatever target this
  // is.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/etc/passwd", "re"), std::fclose);
  while (file != nullptr) {
    const passwd* entry = ::fgetpwent(file.get());
    if (entry == nullptr) break;
    if (entry->pw_name != value) continue;
    o.uid = entry->pw_uid;
    return {};
  }
  return Error{"no such user: " + std::string(value), "neither a number nor a name in /etc/passwd",
               "give the number for users that are not local: id -u NAME"};
}

Result<void> append(std::vector<std::string>& list, std::string_view value) {
  const auto items = split_list(value);
  if (items.empty()) return Error{"no name given", "expected a name, or several with commas"};
  for (const std::string_view item : items) list.emplace_back(item);
  return {};
}

Result<void> add_report(CommonOptions& o, std::string_view path) {
  for (const std::string_view ending : {".md", ".xml", ".json"}) {
    if (path.ends_with(ending)) return o.reports.emplace_back(path), Result<void>{};
  }
  return Error{"not a report's file: " + std::string(path),
               "expected an ending that says what it is: .md, .xml or .json"};
}

constexpr std::string_view kWhich = "Which events";
constexpr std::string_view kHowLong = "How long";
constexpr std::string_view kOut = "What comes out";
constexpr std::string_view kRun = "The run itself";

constexpr auto kOptions = std::to_array<Option<CommonOptions>>({
    {{.name = "pid",
      .short_name = 'p',
      .metavar = "PID[,PID...]",
      .repeatable = true,
      .completes = Completes::pid,
      .group = kWhich,
      .help = "Only these processes."},
     add_pids},
    {{.name = "comm",
      .metavar = "NAME[,NAME...]",
      .repeatable = true,
      .completes = Completes::comm,
      .group = kWhich,
      .help = "Only processes with these command names, as ps -o comm shows them (at most 15 bytes)."},
     [](CommonOptions& o, std::string_view v) -> Result<void> { return append(o.comms, v); }},
    {{.name = "uid",
      .short_name = 'u',
      .metavar = "USER",
      .completes = Completes::user,
      .group = kWhich,
      .help = "Only this user, by name or number."},
     set_uid},
    {{.name = "cgroup",
      .metavar = "PATH",
      .repeatable = true,
      .completes = Completes::directory,
      .group = kWhich,
      .help = "Only this cgroup v2 subtree: a directory, or a path below the cgroup v2 mount."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.cgroups.emplace_back(v), Result<void>{};
     }},
    {{.name = "container",
      .metavar = "ID-OR-NAME",
      .repeatable = true,
      .completes = Completes::container,
      .group = kWhich,
      .help = "Only this container, by name or by the start of its id."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.containers.emplace_back(v), Result<void>{};
     }},
    {{.name = "pod",
      .metavar = "[NAMESPACE/]NAME",
      .repeatable = true,
      .group = kWhich,
      .help = "Only this Kubernetes pod: all of its containers that run now."},
     [](CommonOptions& o, std::string_view v) -> Result<void> { return append(o.pods, v); }},
    {{.name = "netns",
      .metavar = "PID-OR-PATH",
      .completes = Completes::file,
      .group = kWhich,
      .help = "Only this network namespace: a process in it, a path such as /run/netns/NAME, or a name of "
              "ip-netns(8)."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.netns = std::string(v), Result<void>{};
     }},
    {{.name = "where",
      .metavar = "EXPR",
      .repeatable = true,
      .completes = Completes::field,
      .group = kWhich,
      .help = "Only events for which EXPR holds, such as 'latency > 20ms && remote_addr in 10.0.0.0/8'."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.where.emplace_back(v), Result<void>{};
     }},
    {{.name = "from",
      .metavar = "FILE",
      .completes = Completes::file,
      .group = kWhich,
      .help =
          "The JSON lines of an earlier run (-: from standard input) instead of the kernel's events: every view, "
          "expression and verdict again, without privileges."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       if (v.empty()) return Error{"no file", "expected the name of a file, or - for standard input"};
       return o.from = std::string(v), Result<void>{};
     }},
    {{.name = "duration",
      .short_name = 'd',
      .metavar = "TIME",
      .group = kHowLong,
      .help = "Stop after this time: 500ms, 10s, 2m."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       auto ns = parse_duration_ns(v);
       if (!ns) return std::move(ns).error();
       o.duration_ns = *ns;
       return {};
     }},
    {{.name = "count",
      .short_name = 'n',
      .metavar = "N",
      .group = kHowLong,
      .help = "Stop after this many events."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       auto n = parse_count(v);
       if (!n) return std::move(n).error();
       o.count = *n;
       return {};
     }},
    {{.name = "format",
      .short_name = 'f',
      .metavar = "FORMAT",
      .values = kFormatNames,
      .completes = Completes::values,
      .group = kOut,
      .help = "How it is written (default: by the ending of --output, else the first of these)."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return set_format(o, pick<Format>(kFormatNames, v));
     }},
    {{.name = "json",
      .short_name = 'j',
      .group = kOut,
      .help = "The same as --format json: one object a line."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return set_format(o, Format::json); }},
    {{.name = "output",
      .short_name = 'o',
      .metavar = "FILE",
      .repeatable = true,
      .completes = Completes::file,
      .group = kOut,
      .help =
          "Write there instead of standard output (-: there), to several files at once if given several times; the "
          "format follows the ending unless --format is given."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       if (v.empty()) return Error{"no file", "expected the name of a file, or - for standard output"};
       return o.outputs.emplace_back(v), Result<void>{};
     }},
    {{.name = "columns",
      .metavar = "FIELD[,FIELD...]",
      .repeatable = true,
      .completes = Completes::field_list,
      .group = kOut,
      .help =
          "The table's columns, in this order (--list-fields names them); of JSON lines the keys, beside time and "
          "type."},
     [](CommonOptions& o, std::string_view v) -> Result<void> { return append(o.columns, v); }},
    {{.name = "wide", .group = kOut, .help = "All columns."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.wide = true, Result<void>{}; }},
    {{.name = "time",
      .metavar = "STYLE",
      .values = kTimeStyles,
      .completes = Completes::values,
      .group = kOut,
      .help =
          "Times in the table: local (default), utc, iso (with date and zone: the default in a file), relative to "
          "the start, or none."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       o.time = pick<TimeStyle>(kTimeStyles, v);
       o.time_given = true;
       return {};
     }},
    {{.name = "names",
      .metavar = "WHAT",
      .values = kNames,
      .completes = Completes::values,
      .group = kOut,
      .help =
          "ports: in tables, a service's port by its name, such as 127.0.0.1:postgresql, where /etc/services or plumb "
          "has one."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.port_names = true, Result<void>{}; }},
    {{.name = "color",
      .metavar = "WHEN",
      .values = kColorModes,
      .completes = Completes::values,
      .group = kOut,
      .help = "auto (default: on a terminal, unless NO_COLOR is set), always or never."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.color = pick<ColorMode>(kColorModes, v), Result<void>{};
     }},
    {{.name = "summary",
      .group = kOut,
      .help = "One aggregated table at the end instead of a line per event."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.summary = true, Result<void>{}; }},
    {{.name = "by",
      .metavar = "FIELD[,FIELD...]",
      .repeatable = true,
      .completes = Completes::field_list,
      .group = kOut,
      .help = "The groups of --summary and --top; with --fail-if each group is judged by itself."},
     [](CommonOptions& o, std::string_view v) -> Result<void> { return append(o.by, v); }},
    {{.name = "sort",
      .metavar = "FIELD",
      .completes = Completes::field,
      .group = kOut,
      .help = "The order of --summary: a field of its rows, such as failed; numbers the largest first."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.sort = std::string(v), Result<void>{};
     }},
    {{.name = "histogram",
      .group = kOut,
      .help = "Below --summary: how many rows have which latency, all groups together (--where narrows it)."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.histogram = true, Result<void>{}; }},
    {{.name = "top",
      .group = kOut,
      .help = "A live table, most important rows first. Keys: q quit, s next sort column, r reverse, p "
              "pause, / filter."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.top = true, Result<void>{}; }},
    {{.name = "once",
      .group = kOut,
      .help = "With --top: one table, after one --interval or --duration, for a script."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.once = true, Result<void>{}; }},
    {{.name = "interval",
      .metavar = "TIME",
      .group = kOut,
      .help = "How often --top is redrawn (1s unless given), and how often drops tells its counters (at the "
              "end unless given)."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       auto ns = parse_duration_ns(v);
       if (!ns) return std::move(ns).error();
       if (*ns < 100'000'000) return Error{"too short: " + std::string(v), "expected at least 100ms"};
       o.interval_ns = *ns;
       o.interval_given = true;
       return {};
     }},
    {{.name = "otlp",
      .metavar = "URL",
      .optional_value = true,
      .group = kOut,
      .help = "Push each event as an OpenTelemetry span or log record as well, and metrics of them, over "
              "OTLP/HTTP to URL (/v1/traces and the like are appended) or to where the OTEL_* variables say; "
              "http://localhost:4318 otherwise."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.otlp = std::string(v), Result<void>{};
     }},
    {{.name = "otlp-signals",
      .metavar = "SIGNAL[,SIGNAL...]",
      .repeatable = true,
      .group = kOut,
      .help =
          "What --otlp pushes: logs, traces, metrics, profiles (as --otlp-profiles says it). Unless given, metrics and spans, "
          "or log records where the tool's lines are no spans."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       std::vector<std::string> given;
       if (auto r = append(given, v); !r) return r;
       for (std::string& signal : given) {
         if (std::ranges::find(otlp::kSignalNames, signal) == std::end(otlp::kSignalNames))
           return Error{"'" + signal + "'", "expected logs, traces, metrics or profiles"};
         if (signal == otlp::name_of(otlp::Signal::profiles)) o.otlp_profiles = true;
         o.otlp_signals.push_back(std::move(signal));
       }
       return {};
     }},
    {{.name = "otlp-spans",
      .metavar = "NAME[,NAME...]",
      .repeatable = true,
      .group = kOut,
      .help =
          "Spans that --otlp makes only when asked for: dns, of dnsx's lookups; connect, of tcpconnect's attempts. "
          "Each is a trace of its own."},
     [](CommonOptions& o, std::string_view v) -> Result<void> { return append(o.otlp_spans, v); }},
    {{.name = "otlp-url-template",
      .group = kOut,
      .help =
          "Give spans of HTTP clients url.template and a name with it (GET /users/{id}): the path with what looks like "
          "an id replaced, as path_template is. What the client's code calls its routes nobody sees."},
     [](CommonOptions& o, std::string_view) -> Result<void> {
       return o.otlp_url_template = true, Result<void>{};
     }},
    {{.name = "otlp-profiles",
      .group = kOut,
      .help =
          "Push the stacks as well, as a profile of OpenTelemetry (opentelemetry.proto.profiles.v1development "
          "of its version 1.11, which is not stable)."},
     [](CommonOptions& o, std::string_view) -> Result<void> {
       return o.otlp_profiles = true, Result<void>{};
     }},
    {{.name = "otlp-dry-run",
      .group = kOut,
      .help =
          "Send nothing: print each request of --otlp as a JSON line (signal, url, headers with their values "
          "masked, body) on standard output, where the tool's lines are left out then."},
     [](CommonOptions& o, std::string_view) -> Result<void> {
       return o.otlp_dry_run = true, Result<void>{};
     }},
    {{.name = "fail-if",
      .metavar = "EXPR",
      .repeatable = true,
      .completes = Completes::field,
      .group = kRun,
      .help =
          "Exit with status 3 when EXPR over all events holds at the end, such as 'p99(latency) > 50ms'; the "
          "measured "
          "value is shown. Aggregates: count rate p50(f)...p999(f) max min avg sum share(EXPR) count(EXPR)."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       return o.fail_if.emplace_back(v), Result<void>{};
     }},
    {{.name = "baseline",
      .metavar = "FILE",
      .completes = Completes::file,
      .group = kRun,
      .help =
          "The JSON lines of an earlier run, or its report in JSON: base(AGGREGATE) in --fail-if is its value there, such as "
          "'p99(latency) > 1.2 * base(p99(latency))'. What the rows are too few to tell, or too unsteady, is "
          "inconclusive: said, and no failure."},
     [](CommonOptions& o, std::string_view v) -> Result<void> {
       if (v.empty() || v == "-") return Error{"no file", "expected the name of a file"};
       return o.baseline = std::string(v), Result<void>{};
     }},
    {{.name = "strict", .group = kRun, .help = "What is inconclusive fails too."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.strict = true, Result<void>{}; }},
    {{.name = "report",
      .metavar = "FILE",
      .repeatable = true,
      .completes = Completes::file,
      .group = kRun,
      .help =
          "Write the verdicts of --fail-if and what they rest on (events seen, kept, lost, hooks, cost) to FILE: "
          ".md Markdown, .xml JUnit, .json. --json-schema beside it prints the schema of the last."},
     add_report},
    {{.name = "list-fields",
      .group = kOut,
      .help = "Describe the tool's fields and exit; needs no privileges."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.list_fields = true, Result<void>{}; }},
    {{.name = "json-schema",
      .group = kOut,
      .help = "Print a JSON Schema of the lines and exit; needs no privileges."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.json_schema = true, Result<void>{}; }},
    {{.name = "ready-file",
      .metavar = "FILE",
      .completes = Completes::file,
      .group = kRun,
      .help = "Create FILE once every probe is attached."},
     [](CommonOptions& o, std::string_view v) -> Result<void> { return o.ready_file = v, Result<void>{}; }},
    {{.name = "stats",
      .group = kRun,
      .help = "At the end, on standard error: events seen, kept and lost, runs and time of each BPF program, "
              "own CPU time "
              "and peak memory."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.stats = true, Result<void>{}; }},
    {{.name = "quiet",
      .short_name = 'q',
      .group = kRun,
      .help = "Nothing on standard error but errors, losses and --fail-if expressions that hold."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.quiet = true, Result<void>{}; }},
    {{.name = "verbose",
      .short_name = 'v',
      .group = kRun,
      .help = "Say what was attached, which variant of each hook was chosen and why."},
     [](CommonOptions& o, std::string_view) -> Result<void> { return o.verbose = true, Result<void>{}; }},
});

struct Ending {
  std::string_view text;
  Format format;
};
constexpr Ending kEndings[] = {{".json", Format::json},
                               {".jsonl", Format::json},
                               {".ndjson", Format::json},
                               {".svg", Format::svg},
                               {".csv", Format::csv},
                               {".tsv", Format::tsv},
                               {".firefox.json", Format::firefox},
                               {".folded", Format::folded},
                               {".speedscope.json", Format::speedscope},
                               {".pb.gz", Format::pprof},
                               {".pprof", Format::pprof}};

Result<std::string> cgroup_directory(const std::string& given) {
  if (given.starts_with('/')) {
    if (UniqueFd fd(::open((given + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC)); fd) return given;
  }
  auto mount = cgroup2_mount();
  if (!mount) return std::move(mount).error();
  return *mount + (given.starts_with('/') ? "" : "/") + given;
}

Result<void> open_cgroup(const std::string& path, TaskFilter& filter) {
  if (filter.cgroups.size() >= kMaxCgroups) {
    return Error{"too many cgroups", "at most " + std::to_string(kMaxCgroups),
                 "name a common parent instead"};
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd)
    return Error{"no cgroup " + path, errno_text(errno), "`plumb doctor` shows where cgroup v2 is mounted"};
  struct statfs system {};
  if (::fstatfs(fd.get(), &system) == 0 && system.f_type != CGROUP2_SUPER_MAGIC)
    return Error{path + " is no cgroup of version 2", "the kernel side tells processes apart by these alone",
                 "`plumb doctor` shows where cgroup v2 is mounted"};
  filter.cgroups.push_back(std::move(fd));
  return {};
}

// The cgroups of a pod's containers.
Result<std::vector<std::string>> pod_cgroups(std::string_view given) {
  const std::size_t slash = given.find('/');
  const std::string_view name = slash == std::string_view::npos ? given : given.substr(slash + 1);
  const std::string_view space =
      slash == std::string_view::npos ? std::string_view{} : given.substr(0, slash);
  std::vector<std::string> paths;
  std::vector<std::string> spaces;
  std::vector<std::string> known;
  for (const Container& c : list_containers()) {
    if (!c.pod.empty()) known.push_back(c.pod);
    if (c.pod != name || (!space.empty() && c.namespace_ != space) || !c.v2) continue;
    paths.push_back(c.cgroup);
    if (std::ranges::find(spaces, c.namespace_) == spaces.end()) spaces.push_back(c.namespace_);
  }
  if (spaces.size() > 1) {
    return Error{"several pods are named " + std::string(name),
                 "in the namespaces " + spaces[0] + " and " + spaces[1],
                 "say which: --pod " + spaces[0] + "/" + std::string(name)};
  }
  if (!paths.empty()) return paths;
  const std::vector<std::string_view> names(known.begin(), known.end());
  const auto near = suggestions(name, names, 1);
  return Error{"no pod " + std::string(given) + " runs on this machine",
               {},
               near.empty() ? "`plumb doctor -v` lists the containers with their pods"
                            : "did you mean " + std::string(near.front()) + "?"};
}

}  // namespace

OptionTable common_option_table(CommonOptions& options, std::span<const std::string_view> formats) {
  return OptionTable::of(kOptions, options).with_values("format", formats);
}

std::vector<OutputSpec> output_specs(const CommonOptions& options) {
  const Format otherwise = options.default_format;
  std::vector<OutputSpec> specs;
  for (const std::string& path : options.outputs) {
    OutputSpec spec{path == "-" ? std::string{} : path, otherwise};
    std::size_t longest = 0;
    for (const Ending& e : kEndings) {
      if (path.ends_with(e.text) && e.text.size() > longest) {
        spec.format = e.format;
        longest = e.text.size();
      }
    }
    specs.push_back(std::move(spec));
  }
  if (specs.empty()) specs.push_back({{}, otherwise});
  if (options.format) {
    for (OutputSpec& spec : specs) spec.format = *options.format;
  }
  return specs;
}

bool is_aggregated(Format format) {
  return format >= Format::folded;
}

bool wants_stacks(const CommonOptions& options) {
  return std::ranges::any_of(output_specs(options),
                             [](const OutputSpec& s) { return is_aggregated(s.format); });
}

Result<TaskFilter> resolve_filter(const CommonOptions& options) {
  TaskFilter filter;
  filter.pids = options.pids;
  filter.comms = options.comms;
  filter.uid = options.uid;
  for (const std::string& given : options.cgroups) {
    auto path = cgroup_directory(given);
    if (!path) return std::move(path).error();
    if (auto r = open_cgroup(*path, filter); !r) return std::move(r).error();
  }
  for (const std::string& given : options.containers) {
    auto paths = container_cgroups(given);
    if (!paths) return std::move(paths).error();
    for (const std::string& path : *paths) {
      if (auto r = open_cgroup(path, filter); !r) return std::move(r).error();
    }
  }
  for (const std::string& given : options.pods) {
    auto paths = pod_cgroups(given);
    if (!paths) return std::move(paths).error();
    for (const std::string& path : *paths) {
      if (auto r = open_cgroup(path, filter); !r) return std::move(r).error();
    }
  }
  if (options.netns) {
    auto inode = netns_inode(*options.netns);
    if (!inode) return std::move(inode).error();
    filter.netns = *inode;
  }
  return filter;
}

}  // namespace plumb
