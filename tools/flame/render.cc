// `plumb flame render FILE`: saved stacks in another format. Needs no privileges.
#include <algorithm>
#include <array>
#include <optional>

#include "base/say.h"
#include "cli/command_table.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "flame/saved.h"
#include "profile/write.h"
#include "run/stacks.h"

namespace plumb {
namespace {

struct RenderOptions {
  SavedOptions saved;
  std::optional<Format> format;
  bool threads = false;
  bool quiet = false;
};

constexpr std::string_view kFormats[] = {"svg", "folded", "pprof", "speedscope", "firefox", "json"};

Result<void> set_format(RenderOptions& o, std::string_view value) {
  const auto* const found = std::ranges::find(kFormatNames, value);
  o.format = static_cast<Format>(found - std::begin(kFormatNames));
  return {};
}

constexpr auto kOptions = std::to_array<Option<RenderOptions>>({
    {{.name = "format",
      .short_name = 'f',
      .metavar = "FORMAT",
      .values = kFormats,
      .completes = Completes::values,
      .help =
          "How stacks are written (default: by the ending of --output: .svg, .folded, .pb.gz, .speedscope.json, .firefox.json, .json; else svg)."},
     set_format},
    {{.name = "threads", .help = "A tree for each thread, where the file tells threads apart."},
     [](RenderOptions& o, std::string_view) -> Result<void> { return o.threads = true, Result<void>{}; }},
    {{.name = "quiet", .short_name = 'q', .help = "Nothing on standard error but errors."},
     [](RenderOptions& o, std::string_view) -> Result<void> { return o.quiet = true, Result<void>{}; }},
});

CommandOptions render_options(const CommandInfo&) {
  CommandOptions options;
  RenderOptions values;
  append_visible(options.own, saved_option_table(values.saved));
  append_visible(options.own, OptionTable::of(kOptions, values));
  return options;
}

Result<void> render(const std::string& input, const RenderOptions& options) {
  const auto saved = read_saved(input);
  if (!saved) return saved.error();
  if (saved->empty()) {
    return Error{(input == "-" ? "standard input" : input) + " has no stacks",
                 "it is empty, or all weights are 0"};
  }
  const profile::SvgStyle style{.root = options.threads ? profile::Root::thread : profile::Root::comm,
                                .title = options.saved.title,
                                .icicle = options.saved.icicle};
  for (const std::string& path : options.saved.paths()) {
    auto output = SavedOutput::open(path);
    if (!output) return std::move(output).error();
    const Format format = options.format ? *options.format : format_of(path, Format::svg);
    profile::Bytes bytes = output->bytes();
    if (auto r = write_profile(format, *saved, style, bytes); !r) return r;
  }
  if (!options.quiet) say("plumb: {}", profile::quality_text(*saved));
  return {};
}

int render_main(const CommandInfo& command, std::span<const std::string> arguments) {
  RenderOptions options;
  const OptionTable tables[] = {saved_option_table(options.saved), OptionTable::of(kOptions, options)};
  const auto line = parse_command_line(arguments, tables, 1);
  if (!line) return wrong_command_line(line.error());
  if (line->help) return print_help(command);
  if (line->version) return print_version();
  if (line->has_command) return wrong_command_line({"flame render takes no command to trace"});
  if (line->operands.empty()) {
    return wrong_command_line({"flame render needs a file",
                               "saved stacks, folded or pprof; - is standard input",
                               "plumb flame render stacks.folded -o flame.svg"});
  }
  for (const std::string& path : options.saved.outputs) {
    const Format format = options.format ? *options.format : format_of(path, Format::svg);
    if (format == Format::table || format == Format::csv || format == Format::tsv) {
      return wrong_command_line(
          {"no stacks in the format of " + path, "endings are .svg, .folded, .pb.gz, .json", "or --format"});
    }
  }
  if (const auto r = render(line->operands[0], options); !r) {
    print_error(r.error(), false);
    return kFailed;
  }
  return kSuccess;
}

constexpr Example kExamples[] = {
    {"plumb flame render stacks.folded -o flame.svg", "a flame graph of stacks that were saved"},
    {"plumb flame render cpu.pb.gz -o cpu.svg -o cpu.folded", "of a pprof file, and its stacks as text"},
    {"perf script | stackcollapse-perf.pl | plumb flame render - -o perf.svg", "of what perf recorded"},
};

}  // namespace

extern const CommandInfo kFlameRender;
const CommandInfo kFlameRender{
    .name = "flame render",
    .summary = "flame graphs and other formats from saved stacks",
    .usage = "FILE [OPTIONS]",
    .description =
        "Reads stacks that flame, drops or another tool saved, folded or as pprof (gzip or not; - is standard "
        "input), and writes them as a flame graph or in another format. Needs no privileges.",
    .examples = kExamples,
    .options = render_options,
    .main = render_main};

}  // namespace plumb
