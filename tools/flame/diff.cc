// `plumb flame diff BASE NEW`: what takes more than before. Needs no privileges.
#include "profile/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <optional>

#include "base/say.h"
#include "base/text.h"
#include "cli/command_table.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "flame/saved.h"
#include "profile/diff_threshold.h"

namespace plumb {
namespace {

using profile::Change;
using profile::ChangeVerdict;
using profile::Diff;
using profile::FunctionChange;

struct DiffOptions {
  SavedOptions saved;
  std::vector<std::string> fail_if;
  std::optional<std::string> format;
  std::size_t rows = 20;
  bool strict = false;
};

constexpr std::string_view kFormats[] = {"table", "json", "svg"};

constexpr auto kOptions = std::to_array<Option<DiffOptions>>({
    {{.name = "format",
      .short_name = 'f',
      .metavar = "FORMAT",
      .values = kFormats,
      .completes = Completes::values,
      .help =
          "table, json or svg (default: by the ending of --output: .svg, one flame graph of both, coloured by difference, .json; else table)."},
     [](DiffOptions& o, std::string_view v) -> Result<void> {
       return o.format = std::string(v), Result<void>{};
     }},
    {{.name = "fail-if",
      .metavar = "EXPR",
      .repeatable = true,
      .help =
          "Exit with 3 when EXPR surely holds: self(\"crc32\") > +5%, total(\"parse\") > 0%, or self > +10% for any "
          "function. What the samples leave open is inconclusive."},
     [](DiffOptions& o, std::string_view v) -> Result<void> {
       if (auto t = profile::DiffThreshold::compile(v); !t) return std::move(t).error();
       return o.fail_if.emplace_back(v), Result<void>{};
     }},
    {{.name = "strict", .help = "Exit with 3 when a --fail-if is inconclusive, too."},
     [](DiffOptions& o, std::string_view) -> Result<void> { return o.strict = true, Result<void>{}; }},
    {{.name = "rows", .metavar = "N", .help = "Rows of the table (default: 20)."},
     [](DiffOptions& o, std::string_view v) -> Result<void> {
       const auto n = parse_count(v);
       if (!n) return n.error();
       return o.rows = *n, Result<void>{};
     }},
});

CommandOptions diff_options(const CommandInfo&) {
  CommandOptions options;
  DiffOptions values;
  append_visible(options.own, saved_option_table(values.saved));
  append_visible(options.own, OptionTable::of(kOptions, values));
  return options;
}

std::string_view verdict_text(const Change& c) {
  if (c.verdict == ChangeVerdict::not_more && c.interval.high < 0) return "less";
  return name_of(c.verdict);
}

std::string row(const FunctionChange& f, const Change& c) {
  const std::string interval =
      fmt::format("[{}, {}]", profile::change_text(c.interval.low), profile::change_text(c.interval.high));
  std::string out =
      fmt::format("{:6.2f} % {:6.2f} %  {:>10}  {:<22}  {:<12}  ", 100 * c.before.share, 100 * c.after.share,
                  profile::change_text(c.interval.change), interval, verdict_text(c));
  append_printable(out, f.name);
  return out + '\n';
}

void append_table(std::string& out, const Diff& diff, std::size_t rows, bool total) {
  fmt::format_to(std::back_inserter(out), "{}\n BEFORE    AFTER      CHANGE  {:<22}  {:<12}  FUNCTION\n",
                 total ? "\nTotal: with what it calls" : "Self: the function's own", "INTERVAL", "VERDICT");
  std::vector<const FunctionChange*> sorted;
  for (const FunctionChange& f : diff.functions) {
    const Change& c = total ? f.total : f.self;
    if (c.before.share > 0 || c.after.share > 0) sorted.push_back(&f);
  }
  const auto key = [total](const FunctionChange* f) {
    const Change& c = total ? f->total : f->self;
    return std::pair(c.verdict != ChangeVerdict::more, -std::abs(c.after.share - c.before.share));
  };
  std::ranges::stable_sort(sorted, {}, key);
  for (std::size_t i = 0; i < std::min(rows, sorted.size()); ++i) {
    out += row(*sorted[i], total ? sorted[i]->total : sorted[i]->self);
  }
  if (sorted.size() > rows)
    fmt::format_to(std::back_inserter(out), "... {} more (--rows)\n", sorted.size() - rows);
}

void append_number(std::string& out, double value) {
  if (std::isfinite(value))
    fmt::format_to(std::back_inserter(out), "{:.6g}", value);
  else
    out += "null";
}

void append_json(std::string& out, const Diff& diff) {
  for (const FunctionChange& f : diff.functions) {
    for (const auto& [measure, c] : {std::pair("self", &f.self), std::pair("total", &f.total)}) {
      out += R"({"type":"change","function":")";
      append_json_escaped(out, f.name);
      fmt::format_to(std::back_inserter(out), R"(","measure":"{}","before":{:.6g},"after":{:.6g},"change":)",
                     measure, c->before.share, c->after.share);
      append_number(out, c->interval.change);
      out += ",\"low\":";
      append_number(out, c->interval.low);
      out += ",\"high\":";
      append_number(out, c->interval.high);
      fmt::format_to(std::back_inserter(out), ",\"verdict\":\"{}\"}}\n", name_of(c->verdict));
    }
  }
}

Result<void> write(const DiffOptions& options, const profile::Profile& before, const profile::Profile& after,
                   const Diff& diff) {
  for (const std::string& path : options.saved.paths()) {
    auto output = SavedOutput::open(path);
    if (!output) return std::move(output).error();
    std::string format = options.format.value_or("table");
    if (!options.format) {
      const Format by_ending = format_of(path, Format::table);
      if (by_ending == Format::json) format = "json";
      if (by_ending == Format::svg) format = "svg";
    }
    if (format == "svg") {
      profile::Bytes bytes = output->bytes();
      const profile::SvgStyle style{.title = options.saved.title, .icicle = options.saved.icicle};
      if (auto r = write_diff_svg(before, after, style, bytes); !r) return r;
      continue;
    }
    std::string text;
    if (format == "json") {
      append_json(text, diff);
    } else {
      append_table(text, diff, options.rows, false);
      append_table(text, diff, options.rows, true);
    }
    if (auto r = output->write(text); !r) return r;
  }
  return {};
}

// What holds of all functions, on standard error.
void tell(const Diff& diff) {
  std::size_t counts[3] = {};
  for (const FunctionChange& f : diff.functions) {
    if (f.self.before.share <= 0 && f.self.after.share <= 0) continue;  // a caller alone
    ++counts[static_cast<std::size_t>(f.self.verdict)];
  }
  say("plumb: {} samples before, {} after; own time: {} functions more, {} not more than {:.0f} %, {} inconclusive",
      diff.before_samples, diff.after_samples, counts[0], counts[1], 100 * profile::kMargin, counts[2]);
  for (const auto& [uncounted, side] :
       {std::pair(diff.before_uncounted, "before"), {diff.after_uncounted, "after"}}) {
    if (uncounted) {
      say("plumb: the file of {} has weights and does not say how many samples they are: nothing can be decided; pprof says it",
          side);
    }
  }
}

// The exit status.
int judge(const DiffOptions& options, const Diff& diff) {
  int status = kSuccess;
  for (const std::string& text : options.fail_if) {
    const auto threshold = profile::DiffThreshold::compile(text);
    if (!threshold) return kWrongCommandLine;  // it compiled before
    if (const auto r = threshold->check_names(diff); !r) {
      print_error(r.error(), false);
      return kFailed;
    }
  }
  for (const std::string& text : options.fail_if) {
    const auto threshold = profile::DiffThreshold::compile(text);
    if (!threshold) return kWrongCommandLine;
    const profile::DiffVerdict v = threshold->evaluate(diff);
    const bool open = v.verdict == ChangeVerdict::inconclusive;
    const bool failed = v.verdict == ChangeVerdict::more || (open && options.strict);
    say("plumb: {}: {}: {}", open ? "inconclusive" : failed ? "FAILED" : "passed", threshold->text(), v.text);
    if (failed) status = kThresholdHeld;
  }
  return status;
}

int diff_main(const CommandInfo& command, std::span<const std::string> arguments) {
  DiffOptions options;
  const OptionTable tables[] = {saved_option_table(options.saved), OptionTable::of(kOptions, options)};
  const auto line = parse_command_line(arguments, tables, 2);
  if (!line) return wrong_command_line(line.error());
  if (line->help) return print_help(command);
  if (line->version) return print_version();
  if (line->has_command) return wrong_command_line({"flame diff takes no command to trace"});
  if (line->operands.size() != 2) {
    return wrong_command_line({"flame diff needs two files",
                               "saved stacks from before and after, folded or pprof",
                               "plumb flame diff before.folded after.folded"});
  }
  const auto before = read_saved(line->operands[0]), after = read_saved(line->operands[1]);
  for (const auto* side : {&before, &after}) {
    if (*side) continue;
    print_error(side->error(), false);
    return kFailed;
  }
  const Diff diff = profile::compare(*before, *after);
  if (const auto r = write(options, *before, *after, diff); !r) {
    print_error(r.error(), false);
    return kFailed;
  }
  tell(diff);
  return judge(options, diff);
}

constexpr Example kExamples[] = {
    {"plumb flame diff before.folded after.folded",
     "which functions take more than before, and how sure that is"},
    {"plumb flame diff before.pb.gz after.pb.gz -o diff.svg",
     "one flame graph of both: red takes more, blue less"},
    {"plumb flame diff --fail-if 'self(\"crc32\") > +5%' base.folded new.folded",
     "a verdict for CI: exit status 3 when it holds"},
};

}  // namespace

extern const CommandInfo kFlameDiff;
const CommandInfo kFlameDiff{
    .name = "flame diff",
    .summary = "which functions take more than before, and how sure that is",
    .usage = "BASE NEW [OPTIONS]",
    .description =
        "Compares two files of saved stacks, folded or pprof, function by function. The change is that of a function's time "
        "against all else's: when one function alone gets 10 % slower it reads +10 %, whatever its share. Names are compared; "
        "addresses are not.\n\n"
        "There are three verdicts: more, not more (surely less than 10 % more), and inconclusive: too few samples. The "
        "intervals hold for all functions together: two profiles of one program give any \"more\" in about one comparison of a "
        "hundred. A function with 30 % of the time that got 10 % slower is found with some 40,000 samples on each side, with "
        "20,000 when --fail-if names it; one with 10 % with 80,000 and 45,000. Needs no privileges.",
    .examples = kExamples,
    .options = diff_options,
    .main = diff_main};

}  // namespace plumb
