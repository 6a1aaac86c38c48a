// flame: where time goes, as stacks: of running threads at a steady rate, of waiting ones by how long they wait, of
// any tracepoint or function.
#include <fmt/format.h>

#include <sys/utsname.h>

#include <algorithm>
#include <optional>
#include <span>

#include "base/say.h"
#include "base/text.h"
#include "flame/collector.h"
#include "flame/event.h"
#include "flame/files.h"
#include "flame/inline_reader.h"
#include "flame/kernel_names.h"
#include "flame/names.h"
#include "flame/options.h"
#include "flame/probe.h"
#include "flame/top.h"
#include "profile/threshold.h"
#include "profile/write.h"
#include "run/tool.h"

namespace plumb {
namespace {

// How user stacks ended, for who wonders why some are not rooted.
std::string ends_text(const UnwindCounts& counts) {
  static constexpr std::string_view kWhy[] = {"root",
                                              "more stack than was copied",
                                              "too deep",
                                              "no rule for the caller",
                                              "a caller in no code",
                                              "a rule outside the stack",
                                              "a caller below its callee"};
  std::string text = "user stacks ended at:";
  for (std::size_t i = 0; i < std::size(kWhy); ++i) {
    if (counts.by_end[i] != 0) text += fmt::format(" {} {},", kWhy[i], counts.by_end[i]);
  }
  if (counts.without_process != 0)
    text += fmt::format(" the process was gone before its mappings were known {},", counts.without_process);
  if (!text.ends_with(',')) return {};  // no sample of a user stack
  text.pop_back();
  return text;
}

// How far the Python functions can be trusted.
void remark_python(const PythonFrames& python) {
  const PythonCounts& c = python.counts();
  for (const auto& [version, pid] : python.unread())
    say("plumb: process {} runs Python {}, whose functions are not read: those of 3.11 to 3.13 are", pid,
        version);
  if (c.samples == 0) return;
  std::string text = fmt::format("{} samples of Python", c.samples);
  const std::pair<std::uint64_t, std::string_view> kParts[] = {
      {c.early, "before it was seen"},
      {c.no_room, "of more processes than are read at one time"},
      {c.nested, "taken on top of another sample"},
      {c.crowded, "in processes of too many threads"},
      {c.beginning, "where a call had just begun, without that function"},
      {c.foreign, "in threads that run none"},
      {c.cut, "with more functions than were read"},
      {c.unplaced, "with functions that have no place among the native ones"},
      {c.unnamed, "with functions whose names were lost"}};
  for (const auto& [count, meaning] : kParts) {
    if (count != 0) text += fmt::format(", {} {}", count, meaning);
  }
  say("plumb: {}", text);
}

class Flame final : public Tool {
 public:
  OptionTable options() override { return flame_option_table(options_); }
  const Schema& schema() const override { return kStackSchema; }
  std::vector<Hook> hooks() const override { return FlameProbe::hooks(options_); }
  std::vector<AnyProbe*> probes() override { return {&probe_}; }

  profile::SvgStyle svg_style() const override {
    return {.root = options_.threads ? profile::Root::thread : profile::Root::comm,
            .icicle = options_.icicle};
  }
  profile::Profile* profile() override { return &named_->profile; }

  std::unique_ptr<TopSink> make_top(Screen& screen, const ClockSource& clock,
                                    const TopStyle& style) override {
    const auto by = [this](std::string_view key) {
      return std::ranges::find(common().by, key) != common().by.end();
    };
    const FunctionGroups groups{.comm = by("comm"), .pid = by("pid")};
    if (common().from) return make_function_top(screen, clock, style, {}, groups);
    return make_function_top(screen, clock, style,
                             {[this](FunctionTable& table, bool interval) { update_top(table, interval); },
                              [this] { return about_top(); }, [this] { return description(); }},
                             groups);
  }

  Result<void> attach(Session& session) override {
    session_ = &session;
    kernel_.emplace(KernelSymbols::open());
    if (options_.inlined) {
      if (auto r = inlines_.start(); !r) return r;
    }
    if (auto r = files_.start(); !r) return r;
    collector_.emplace(options_, files_, *kernel_);
    names_.emplace(*collector_, files_, *kernel_,
                   NameStyle{.raw = options_.raw_names,
                             .inlined = options_.inlined ? &inlines_ : nullptr,
                             .hide_probe = options_.event != FlameEvent::cpu});
    auto keep = [this](std::span<const std::byte> bytes) {
      collector_->keep(bytes);
      return true;
    };
    auto started = probe_.start(session, options_, keep);
    if (started) {
      kernel_->ask(probe_.kernel_names());
      collector_->python().use(probe_.pythons());
      const std::span<const std::uint32_t> asked = session.filter.pids;
      collector_->python().look_at_all(files_, session.filter.follow ? asked.first(0) : asked);
    }
    started_ = session.clock.to_unix(session.clock.now());
    return started;
  }

  Result<void> drained() override {
    collector_->settle(probe_.mappings());
    return {};
  }

  Result<void> finish() override {
    if (options_.event == FlameEvent::offcpu) {
      probe_.each_blocked([this](std::span<const std::byte> bytes) { return collector_->keep(bytes); });
      collector_->settle(probe_.mappings());
    }
    names_->update();
    named_.emplace(names_->whole());
    profile::Profile& named = named_->profile;
    named.quality() = collector_->profile().quality();
    named.quality().lost = static_cast<std::int64_t>(probe_.lost());
    describe(named.description());
    if (gives_rows()) push_stacks();
    return {};
  }

  bool judges_itself() const override { return true; }
  std::vector<Judged> verdicts() override {
    std::vector<Judged> verdicts;
    for (const auto& t : thresholds_) verdicts.push_back({t.text(), {}, t.evaluate(named_->profile)});
    return verdicts;
  }

  void remark() override {
    say("plumb: {}", profile::quality_text(named_->profile));
    if (const std::string ends = ends_text(collector_->counts()); common().verbose && !ends.empty())
      say("plumb: {}", ends);
    remark_python(collector_->python());
    if (!kernel_->problem().empty()) say("plumb: {}", kernel_->problem());
    for (const std::string& path : named_->unread)
      say("plumb: --inline: the debug information of {} could not be read to its end", path);
    for (const MissingJitMap& m : named_->missing) {
      if (const std::string advice = jit_map_advice(m); !advice.empty())
        say("plumb: process {} runs code without names; {}", m.pid, advice);
    }
  }

 private:
  Result<void> check() override {
    if (auto r = check_flame_options(options_); !r) return r;
    if (auto r = check_top(); !r) return r;
    for (const std::string& text : common().fail_if) {
      auto threshold = profile::ProfileThreshold::compile(text);
      if (!threshold) return std::move(threshold).error();
      thresholds_.push_back(*std::move(threshold));
    }
    return {};
  }

  // Its table is of functions, not of rows.
  Result<void> check_top() const {
    if (!common().top) return {};
    for (const std::string& key : common().by) {
      if (key != "comm" && key != "pid")
        return Error{"flame --top does not group by " + key, "its rows are functions",
                     "--by comm, pid or both"};
    }
    for (const auto& [option, given] :
         {std::pair{"--where", !common().where.empty()}, {"--count", common().count.has_value()}}) {
      if (given)
        return Error{fmt::format("{} has no effect on flame --top", option), "its table is of functions"};
    }
    return {};
  }

  profile::Description description() const {
    return {.event = options_.event == FlameEvent::cpu ? probe_.counter() : event_text(options_),
            .unit = options_.unit()};
  }

  // Nothing is there before attach().
  void update_top(FunctionTable& table, bool interval) {
    if (!names_) return;
    names_->update();
    const auto naming = [this](const profile::Frame& f, std::vector<profile::Frame>& out) {
      names_->append(f, out);
    };
    table.update(collector_->profile(), naming, interval);
  }

  // "cpu-clock 99 Hz  2,345 samples, 0 lost, 99.1 % rooted"
  std::string about_top() {
    std::string text;
    append_printable(text, description().event);
    if (options_.event == FlameEvent::cpu) text += fmt::format(" {} Hz", options_.frequency);
    if (!collector_) return text;
    collector_->profile().quality().lost = static_cast<std::int64_t>(probe_.lost());
    const std::string quality = profile::quality_text(collector_->profile());
    constexpr std::string_view kLast = " rooted";  // what follows is said at the end
    return text + "  " + quality.substr(0, quality.find(kLast) + kLast.size());
  }

  void describe(profile::Description& d) const {
    d = description();
    if (options_.event == FlameEvent::cpu) d.period = 1'000'000'000 / options_.frequency;
    const UnixTime now = session_->clock.to_unix(session_->clock.now());
    d.duration = {now.ns - started_.ns};
    d.start = started_;
    utsname machine{};
    if (::uname(&machine) == 0) d.host = machine.nodename;
  }

  // Whether some output is of lines, a stack each.
  bool gives_rows() const {
    if (common().top) return false;
    const auto specs = output_specs(common());
    return std::ranges::any_of(specs, [](const OutputSpec& s) { return !is_aggregated(s.format); });
  }

  void push_stacks() {
    const profile::Profile& p = named_->profile;
    std::vector<std::string> names;
    std::vector<std::string_view> views;
    const std::string event = event_text(options_);
    const std::string_view unit = profile::name_of(p.description().unit);
    for (std::size_t i = 0; i < p.samples(); ++i) {
      const profile::Sample s = p.sample(i);
      names.clear();
      views.clear();
      for (const profile::FrameId f : s.frames) names.push_back(profile::display_name(p, p.frame_of(f)));
      for (const std::string& n : names) views.emplace_back(n);
      const Stack stack{views, s.count, s.value, unit, event, s.comm, s.pid};
      session_->out.push(Row(kStackSchema, stack));
    }
  }

  FlameOptions options_;
  Session* session_ = nullptr;
  UnixTime started_;
  TargetFiles files_;
  InlineReader inlines_;
  FlameProbe probe_;
  std::optional<KernelNames> kernel_;
  std::optional<Collector> collector_;
  std::optional<FrameNames> names_;
  std::optional<NamedProfile> named_;
  std::vector<profile::ProfileThreshold> thresholds_;  // of --fail-if
};

constexpr std::string_view kFormats[] = {"folded", "svg",  "pprof", "speedscope", "firefox",
                                         "table",  "json", "csv",   "tsv"};

constexpr Example kExamples[] = {
    {"plumb flame -d 10s -o cpu.svg", "where the CPUs of this machine spend their time, as a flame graph"},
    {"plumb flame -p 4711 -d 30s | less", "one process, a line a stack"},
    {"plumb flame --event offcpu -p 4711 -d 10s -o waits.svg", "where it waits, and for how long"},
    {"plumb flame -o build.svg -- make -j8", "one command and its children"},
    {"plumb flame -o cpu.svg --fail-if 'rooted < 95% || self(\"memcpy\") > 10%' -- ./bench",
     "a verdict for CI: exit status 3 when it holds"},
};

// Kernel symbols; what other users' processes have mapped, and those files.
constexpr Capability kProfits[] = {Capability::syslog, Capability::sys_ptrace, Capability::dac_read_search};

}  // namespace

extern const ToolInfo kFlame;
const ToolInfo kFlame{
    .name = "flame",
    .summary = "where CPU time and waiting time go, as flame graphs",
    .description =
        "Takes stacks of running threads at a steady rate, or of what --event names, and adds them up. "
        "Stacks of binaries without frame pointers are walked by their call-frame information, so that "
        "distributions' packages need not be built again.\n\n"
        "--fail-if is over the figures of the capture: count, lost, rooted, truncated and unsymbolised, in samples or in percent "
        "of them; unsymbolised(\"FILE\") of one file; self(\"FUNCTION\") and total(\"FUNCTION\"), in percent of the weight.",
    .schema = &kStackSchema,
    .summary_schema = nullptr,
    .examples = kExamples,
    .formats = kFormats,
    .profits = kProfits,
    .make = []() -> std::unique_ptr<Tool> { return std::make_unique<Flame>(); },
};

}  // namespace plumb
