// How a run goes, as one event sees it:
//
//   attach -> [ drain -> tool decodes -> Stages::push -> every sink ] -> flush -> ... -> detach -> last drain
//   -> finish
//
// The loop wakes when the kernel side says that its buffer fills, when a signal comes, when the reader of standard output
// goes away, and every 50 ms at the latest; where nothing comes at all (run/idle.h), twice a second and at the first event.
#include "run/run.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <iterator>
#include <map>

#include "base/say.h"
#include "base/text.h"
#include "probe/executable.h"
#include "probe/missed_runs.h"
#include "probe/privileges.h"
#include "probe/skeleton.h"
#include "proc/mounts.h"
#include "run/baseline.h"
#include "run/command.h"
#include "run/confine.h"
#include "run/end_signals.h"
#include "run/idle.h"
#include "run/live_table.h"
#include "run/otlp_output.h"
#include "run/otlp_owner.h"
#include "run/outputs.h"
#include "run/progress.h"
#include "run/push_down.h"
#include "run/ready_file.h"
#include "run/report_files.h"
#include "run/stacks.h"
#include "run/stats.h"
#include "run/syscall_filter.h"
#include "run/tally.h"
#include "run/verdicts.h"
#include "run/watched.h"
#include "sink/formats.h"

namespace plumb {
namespace {

constexpr std::string_view kNoRoom = "no room left in the kernel's buffers";
constexpr std::string_view kStalled = "the reader stalled";
constexpr std::string_view kMissedRuns = "a probe would have interrupted itself";

class Run {
 public:
  explicit Run(RunSetup setup)
      : info_(setup.info),
        tool_(setup.tool),
        options_(setup.options),
        expressions_(setup.expressions),
        push_configs_(setup.pushes),
        saved_(setup.saved),
        baseline_(setup.baseline),
        summary_(std::move(setup.summary)),
        rows_(summary_ != nullptr ? summary_->schema() : tool_.schema()) {}

  Result<void> go() {
    if (saved_ != nullptr) return replay();
    auto ready = ReadyFile::prepare(options_.ready_file);
    if (!ready) return std::move(ready).error();
    if (auto r = open_sinks(); !r) return r;
    if (auto r = prepare(); !r) return r;
    if (options_.stats || !options_.reports.empty()) stats_.enable();
    progress_.emplace(options_, outputs_.front());
    if (auto r = attach(); !r) return r;
    if (auto r = ready->arm(); !r) return r;
    if (auto r = drop_privileges(command_.has_value()); !r) return r;
    if (auto r = tool_.confined(); !r) return r;
    if (auto r = ready->create(); !r) return r;
    if (auto r = confine(tool_.opens_in_other_roots()); !r) return r;
    if (command_) {
      if (auto r = command_->release(); !r) {
        status_ = command_->wait();
        return r;
      }
    }
    stages_->begin();
    stages_->flush();
    Result<void> ended = end_trace(loop());
    if (command_) status_ = command_->wait_and_tell(signals_);
    return ended;
  }

  // Saved lines go the way of events.
  Result<void> replay() {
    if (auto r = open_sinks(); !r) return r;
    progress_.emplace(options_, outputs_.front());
    if (auto r = drop_privileges(false); !r) return r;  // lines are bytes from outside
    if (auto r = confine(false); !r) return r;
    started_ = clock_.now();
    stages_->begin();
    stages_->flush();
    return end_trace(saved_->read({[this](const Row& row) { return stages_->push(row); },
                                   [this](const Loss& loss) { stages_->lost(loss); }},
                                  [this](int fd) { return wait_for_lines(fd); }));
  }

  // The command's exit status; 0 without one.
  int command_status() const { return status_; }
  // A --fail-if held.
  bool threshold_held() const { return threshold_held_; }

 private:
  Result<void> open_sinks() {
    std::vector<std::unique_ptr<Sink>> sinks;
    for (const OutputSpec& spec : output_specs(options_)) {
      auto output =
          spec.path.empty() ? Result<Output>(Output::standard()) : Output::file(spec.path, signals_.fd());
      if (!output) return std::move(output).error();
      outputs_.push_back(*std::move(output));
      line_sinks_.push_back(nullptr);
      writes_stdout_ = writes_stdout_ || spec.path.empty();
      if (options_.otlp_dry_run && spec.path.empty()) continue;  // the requests are what standard output has
      if (auto r = add_sink(spec.format, sinks); !r) return r;
    }
    if (auto r = open_pushes(push_configs_, info_, rows_, pushes_, sinks); !r) return r;
    if (push_spans(pushes_)) processes_.read_resources({resource_of_context, resource_of_environment});
    auto reports = ReportFiles::open(options_);
    if (!reports) return std::move(reports).error();
    reports_.emplace(*std::move(reports));
    stages_.emplace(std::move(sinks), expressions_, stages_setup());
    session_.emplace(Session{options_, filter_, conditions_, features_, processes_, clock_, *stages_});
    return {};
  }

  Stages::Setup stages_setup() {
    Stages::Setup setup{*info_.schema, tool_.judged_types(), options_.count, std::move(summary_)};
    if (!reports_->wanted()) return setup;
    setup.owner = info_.schema->find("pid");
    setup.unpaired = Stages::condition(tool_.unpaired(), *info_.schema);
    return setup;
  }

  // The sink of the newest output; what is of stacks has none and is written at the end.
  Result<void> add_sink(Format format, std::vector<std::unique_ptr<Sink>>& sinks) {
    Output& output = outputs_.back();
    if (is_aggregated(format)) return stacks_.push_back({format, &output}), Result<void>{};
    if (options_.top) {
      auto top = LiveTable::open(info_, tool_, options_, output,
                                 saved_ != nullptr ? saved_->clock() : system_clock_source());
      if (!top) return std::move(top).error();
      live_.emplace(*std::move(top));
      sinks.push_back(live_->take_sink());
      return {};
    }
    auto sink = make_sink(format, tool_, rows_, options_, output, clock_);
    if (!sink) return std::move(sink).error();
    sinks.push_back(*std::move(sink));
    line_sinks_.back() = sinks.back().get();
    return {};
  }

  // All files are open: what the run does not need is forbidden, and so to the sender, which starts behind it.
  Result<void> confine(bool files_in_other_roots) {
    standard_error();  // opens its stream for writing once more
    const SyscallFilter filter{!pushes_.empty(), files_in_other_roots, command_.has_value()};
    if (auto r = forbid_system_calls(filter); !r) return r;
    return start_pushes(pushes_);
  }

  Result<void> attach() {
    if (auto r = check_forced(tool_.hooks(), forced_hooks()); !r) return r;
    if (auto r = tool_.attach(*session_); !r) return r;
    probes_ = tool_.probes();
    processes_.ask_of_gone([this](const ProcessKey& key) { return exe_of_ended(key); });
    if (options_.verbose) {
      for (const AnyProbe* probe : probes_) say_text(describe_choices(probe->choices()));
    }
    return {};
  }

  std::string exe_of_ended(const ProcessKey& key) const {
    const auto kept = std::ranges::find_if(probes_, [](const AnyProbe* p) { return p->executables() >= 0; });
    return kept == probes_.end() ? "" : executable_path((*kept)->executables(), key.pid, key.start_ns);
  }

  // Whom to trace. A command exists from here on, but has not run its first instruction.
  Result<void> prepare() {
    if (auto r = need_system_mounts(system_procfs()); !r) return r;
    if (auto r = need_host_process_ids(); !r) return r;
    auto filter = resolve_filter(options_);
    if (!filter) return std::move(filter).error();
    filter_ = *std::move(filter);
    auto watched = WatchedProcesses::open(options_.pids);
    if (!watched) return std::move(watched).error();
    watched_ = *std::move(watched);
    // Pushing must not give events to push. In a PID namespace the number would be a stranger's.
    if (!pushes_.empty() && in_initial_pid_namespace(system_procfs()))
      filter_.self_pid = static_cast<std::uint32_t>(::getpid());
    push_down();
    if (auto r = prepare_command(); !r) return r;
    raise_memlock_limit();  // after the fork: the command keeps its own limit
    return {};
  }

  // Process ids that mean others in the kernel would trace nothing, or a stranger.
  Result<void> need_host_process_ids() const {
    if ((options_.pids.empty() && options_.command.empty()) || in_initial_pid_namespace(system_procfs()))
      return {};
    return Error{options_.command.empty() ? "cannot tell processes by their ids" : "cannot trace a command",
                 "plumb is in a PID namespace, where processes have other ids than in the kernel",
                 "share the host's: --pid=host for docker and podman, hostPID: true in a pod"};
  }

  // What --where says of processes, the shared filters decide in the kernel.
  void push_down() {
    for (const Predicate& p : expressions_.where) {
      conditions_.insert(conditions_.end(), p.pushdown().begin(), p.pushdown().end());
    }
    for (const Condition& c : conditions_) {
      const bool taken = narrow(filter_, c, *info_.schema);
      if (taken && options_.verbose) {
        say("--where: the kernel filters by {}", info_.schema->spec(c.field).key);
      }
    }
  }

  Result<void> prepare_command() {
    if (options_.command.empty()) return {};
    auto command = Command::prepare(options_.command, signals_.mask_before());
    if (!command) return std::move(command).error();
    command_.emplace(*std::move(command));
    filter_.pids = {static_cast<std::uint32_t>(command_->pid())};
    filter_.follow = true;
    return {};
  }

  // Probes off, the rest of the buffer, aggregates, end of every sink.
  Result<void> end_trace(Result<void> result) {
    progress_.reset();
    elapsed_ = elapsed();
    for (const AnyProbe* probe : probes_) stats_.collect(probe->object());
    report_missed_runs();
    for (AnyProbe* probe : probes_) probe->detach();
    heed_signals_at_the_end();
    if (result && !stages_->done()) result = step();
    report_losses(sum(&AnyProbe::lost) + stages_->lost(), reported_lost_,
                  kNoRoom);  // also where --count ended it
    for (Output& output : outputs_) output.finish();
    stages_->lift_limit();
    const bool finished = result && !stages_->error();
    if (finished) result = tool_.finish();
    if (result && finished) stages_->finish_summary();
    if (result && finished) result = write_stacks();
    stages_->flush();
    say_what_was_not_written();
    stages_->end();
    const std::string last_frame = live_ ? live_->last_frame() : std::string{};
    live_.reset();  // the terminal is back before anything is said
    if (!last_frame.empty()) (void)print_text(last_frame);
    if (finished && !options_.quiet) {
      tool_.remark();
      tool_.remark_on_counts();
    }
    if (finished) say_what_it_was();
    if (result && finished && baseline_ != nullptr)
      result = read_baseline(*baseline_, *stages_, expressions_.judge, options_);
    std::vector<Judged> verdicts;
    if (!finished || result)
      verdicts = judge(finished);  // beside a baseline that cannot be read there is none
    print_losses();
    if (reports_->wanted()) {
      const std::optional<Error>& error = result ? stages_->error() : result.error();
      if (auto r = write_report(std::move(verdicts), error); !r && result) result = r;
    }
    finish_pushes(pushes_, options_.stats);
    if (options_.stats) stats_.print(info_.name, counts());
    if (result && stages_->error()) return *stages_->error();
    return result;
  }

  EventCounts counts() const {
    return {.seen = events_seen(),
            .kept = stages_->kept(),
            .filtered = stages_->tally().filtered(),
            .kinds = stages_->tally().text(),
            .lost = all_lost()};
  }

  // To who sits before the terminal: "33 connects, 9 failed, 0 lost in 5 s".
  void say_what_it_was() const {
    if (options_.quiet || ::isatty(STDERR_FILENO) != 1 || !stacks_.empty()) return;
    if (options_.top && tool_.judges_itself()) return;  // which told its figures
    say("{}", ending_text(counts(), options_.kernel_summary(), elapsed_));
  }

  Result<void> write_stacks() {
    profile::Profile* stacks = stacks_.empty() ? nullptr : tool_.profile();
    if (stacks == nullptr) return {};
    const Duration elapsed{static_cast<std::int64_t>(clock_.now().ns - started_.ns)};
    complete(*stacks, {clock_.to_unix(started_), elapsed, reported_lost_ + reported_missed_});
    push_profile(pushes_, *stacks);
    for (const StackOutput& to : stacks_) {
      if (auto r = write_profile(to.format, *stacks, tool_.svg_style(), *to.output); !r) return r;
    }
    return {};
  }

  // How long the run took; of saved lines, from the first event to the last.
  Duration elapsed() const {
    if (saved_ != nullptr) return saved_->span();
    return {static_cast<std::int64_t>(clock_.now().ns - started_.ns)};
  }

  std::vector<Judged> judge(bool finished) {
    std::vector<Judged> verdicts = expressions_.judge.evaluate(elapsed_);
    if (finished) std::ranges::move(tool_.verdicts(), std::back_inserter(verdicts));
    threshold_held_ = say_verdicts(verdicts, expressions_.judge, options_);
    return verdicts;
  }

  Result<void> write_report(std::vector<Judged> verdicts, const std::optional<Error>& error) {
    report::Report report = describe_run(std::move(verdicts), expressions_.judge, options_);
    report.tool = info_.name;
    report.started = saved_ != nullptr ? saved_->first() : clock_.to_unix(started_);
    report.duration = elapsed_;
    if (error) report.error = error->what + (error->why.empty() ? "" : ": " + error->why);
    report.seen = events_seen();
    report.kept = stages_->kept();
    report.filtered = stages_->tally().filtered();
    if (info_.schema->find("pid") != Schema::npos) report.without_owner = stages_->without_owner();
    if (!tool_.unpaired().empty()) report.unpaired = stages_->unpaired() + tool_.unpaired_untold();
    add_losses(report);
    for (const AnyProbe* probe : probes_) add_hooks(report, probe->choices());
    for (const RunStats::Program& p : stats_.programs()) report.programs.push_back({p.name, p.runs, p.ns});
    return reports_->write(std::move(report));
  }

  void add_losses(report::Report& report) const {
    const auto add = [&report](std::uint64_t count, std::string_view why) {
      if (count != 0) report.losses.push_back({count, std::string(why)});
    };
    add(reported_lost_, kNoRoom);
    add(reported_missed_, kMissedRuns);
    if (saved_ == nullptr) return;
    report.source = saved_->name();
    add(saved_->lost(), "when the lines were saved");
    add(saved_->broken(), "broken lines");
  }

  std::uint64_t all_lost() const {
    return reported_lost_ + reported_missed_ + (saved_ != nullptr ? saved_->lost() + saved_->broken() : 0);
  }

  // In all, on standard error: the places where losses were noticed may be far up, or in a file.
  void print_losses() const {
    say_lost(reported_lost_, kNoRoom);
    say_lost(reported_missed_, kMissedRuns);
    if (saved_ != nullptr) {
      say_lost(saved_->lost(), "when the lines were saved");
      say_lost(saved_->broken(), "broken lines");
    }
    for (const Output& output : outputs_) say_not_written(output.dropped_lines(), output.name(), kStalled);
    if (!options_.fail_if.empty() && all_lost() != 0)
      say("plumb: the values above are of those that were seen");
  }

  // One turn: drain, say what was lost, write out.
  Result<void> step() {
    for (AnyProbe* probe : probes_) {
      if (auto r = probe->drain(); !r) return r;
    }
    if (auto r = tool_.drained(); !r) return r;
    report_losses(sum(&AnyProbe::lost) + stages_->lost(), reported_lost_, kNoRoom);
    note_silence();
    stages_->flush();
    say_what_was_not_written();
    return {};
  }

  // Before what came is written: it takes the place of words about silence.
  void note_silence() {
    const std::uint64_t kept = stages_->tally().kept();
    if (kept == kept_before_ || !progress_) return;
    if (!progress_->on()) progress_->erase();
    kept_before_ = kept;
    last_event_ = clock_.now();
  }

  // In an output whose reader came back, where the gap is.
  void say_what_was_not_written() {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const std::uint64_t now = outputs_[i].dropped_lines();
      if (line_sinks_[i] == nullptr || now == gaps_said_[i] || !outputs_[i].caught_up()) continue;
      (void)line_sinks_[i]->lost({clock_.to_unix(clock_.now()), now - gaps_said_[i], kStalled});
      gaps_said_[i] = now;
    }
  }

  std::uint64_t events_seen() const { return saved_ != nullptr ? saved_->rows() : sum(&AnyProbe::seen); }

  std::uint64_t sum(std::uint64_t (AnyProbe::*count)() const) const {
    std::uint64_t total = 0;
    for (const AnyProbe* probe : probes_) total += (probe->*count)();
    return total;
  }

  void report_losses(std::uint64_t now, std::uint64_t& before, std::string_view why) {
    if (now <= before) return;
    if (progress_) progress_->erase();
    stages_->lost({clock_.to_unix(clock_.now()), now - before, why});
    before = now;
  }

  void report_missed_runs() { report_losses(sum(&AnyProbe::missed), reported_missed_, kMissedRuns); }

  Result<void> loop() {
    std::vector<pollfd> fds;
    const BootTime start = clock_.now();
    started_ = last_second_ = last_event_ = start;
    while (!stages_->done() && !reader_gone() && !(live_ && live_->quit())) {
      const BootTime now = clock_.now();
      const int wait_ms = wait_until_ms(start, now, turn_ms(now));
      if (wait_ms <= 0) return {};
      each_second(now);
      enum : std::size_t { kSignals, kReader, kCommandEnd, kKeys, kProbes };
      fds = {{signals_.fd(), POLLIN, 0},
             {writes_stdout_ ? STDOUT_FILENO : -1, 0, 0},
             {command_ ? command_->exit_fd() : -1, POLLIN, 0},
             {live_ ? live_->key_fd() : -1, POLLIN, 0}};
      for (const AnyProbe* probe : probes_) fds.push_back({probe->poll_fd(), POLLIN, 0});
      watched_.append(fds);
      if (::poll(fds.data(), fds.size(), wait_ms) < 0 && errno != EINTR) {
        return Error{"cannot wait for events", errno_text(errno)};
      }
      if (fds[kSignals].revents != 0 && signals_say_end()) return {};
      // A pipe or socket whose reader is gone says POLLERR; a terminal that hung up says POLLHUP.
      if ((fds[kReader].revents & (POLLERR | POLLHUP)) != 0) return {};
      if (auto r = step(); !r) return r;
      idle_.turned(now, events_seen(), std::span(fds).subspan(kProbes, probes_.size()));
      if (fds[kCommandEnd].revents != 0) return {};
      if (watched_.all_ended()) {
        progress_->erase();
        if (!options_.quiet) say("plumb: all processes of --pid have ended");
        return {};
      }
    }
    return {};
  }

  // Until there is something to read and every output has taken what there was: lines that are there are not lost, however
  // slow a reader is. False: nobody wants more.
  bool wait_for_lines(int fd) {
    constexpr int kRetryMs = 5;
    while (!stages_->done() && !reader_gone() && !(live_ && live_->quit())) {
      stages_->flush();
      const bool taken = std::ranges::all_of(outputs_, &Output::caught_up);
      enum : std::size_t { kSignals, kLines, kKeys };
      pollfd fds[] = {{signals_.fd(), POLLIN, 0},
                      {taken ? fd : -1, POLLIN, 0},
                      {live_ ? live_->key_fd() : -1, POLLIN, 0}};
      if (::poll(fds, std::size(fds), taken ? Idle::kTurnMs : kRetryMs) < 0 && errno != EINTR) return false;
      if (fds[kSignals].revents != 0 && signals_say_end()) return false;
      if (taken && fds[kLines].revents != 0) return true;
    }
    return false;
  }

  bool reader_gone() const { return std::ranges::any_of(outputs_, &Output::closed); }

  // From one turn to the next where nothing comes. What came while the probes were told that it is long makes it short.
  int turn_ms(BootTime now) const {
    const bool may = idle_.quiet(now) && !live_ && !options_.interval_given && pushes_.empty() &&
                     std::ranges::all_of(outputs_, &Output::caught_up) &&
                     std::ranges::all_of(probes_, &AnyProbe::wake_at_next);
    return may && events_seen() == idle_.seen() ? Idle::kSleepMs : Idle::kTurnMs;
  }

  // Milliseconds until the next turn at the latest; 0 once --duration is over.
  int wait_until_ms(BootTime start, BootTime now, int turn_ms) const {
    const auto duration =
        options_.once && !options_.duration_ns ? std::optional(options_.interval_ns) : options_.duration_ns;
    if (!duration) return turn_ms;
    const std::int64_t left = *duration - static_cast<std::int64_t>(now.ns - start.ns);
    return static_cast<int>(std::clamp<std::int64_t>((left + 999'999) / 1'000'000, 0, turn_ms));
  }

  // What needs doing about once a second.
  void each_second(BootTime now) {
    if (now.ns - last_second_.ns < 1'000'000'000) return;
    last_second_ = now;
    report_missed_runs();
    if (const std::int64_t step = clock_.refresh(); step != 0) {
      progress_->erase();
      say("plumb: the system clock was stepped by {:+.3f} s; times after this follow the new clock",
          static_cast<double>(step) / 1e9);
    }
    if (progress_->on()) return show_progress(now);
    progress_->show_silence({static_cast<std::int64_t>(now.ns - last_event_.ns)},
                            stages_->tally().filtered());
  }

  void show_progress(BootTime now) {
    ProgressFacts facts{.tool = info_.name, .seen = sum(&AnyProbe::seen), .kept = stages_->kept()};
    facts.elapsed = {static_cast<std::int64_t>(now.ns - started_.ns)};
    if (options_.duration_ns) facts.duration = Duration{*options_.duration_ns};
    facts.count = stages_->limit();
    progress_->show(facts);
  }

  // Without a command every signal ends the trace. With one the first is the command's: a terminal sent it to
  // the whole process group already, one from kill(1) is passed on; the trace ends when the command does. A
  // second ends it.
  bool signals_say_end() {
    signalfd_siginfo info{};
    while (signals_.next(info)) {
      const bool first = !signalled_;
      signalled_ = true;
      if (!command_ || !first) return true;
      if (info.ssi_code != SI_KERNEL) command_->signal(static_cast<int>(info.ssi_signo));
    }
    return false;
  }

  // What came before the end is dealt with. From here on a second Ctrl-C kills as usual, unless a command runs on: it
  // gets the signals that come, while its end is waited for.
  void heed_signals_at_the_end() {
    signals_say_end();
    pollfd ended{command_ ? command_->exit_fd() : -1, POLLIN, 0};
    if (!command_ || ::poll(&ended, 1, 0) == 1) signals_.restore(signalled_);
  }

  const ToolInfo& info_;
  Tool& tool_;
  const CommonOptions& options_;
  Expressions& expressions_;
  const std::vector<otlp::Config>& push_configs_;
  SavedLines* saved_;                 // --from; nullptr: a trace
  SavedLines* baseline_;              // --baseline
  std::unique_ptr<Summary> summary_;  // until the stages have it
  const Schema& rows_;                // of what comes out
  EndSignals signals_;
  TaskFilter filter_;
  std::vector<Condition> conditions_;
  Features features_;
  ProcessCache processes_;
  BootClock clock_;
  std::deque<Output> outputs_;                      // sinks refer to them
  std::vector<StackOutput> stacks_;                 // of them, those that stacks go to
  std::vector<Sink*> line_sinks_;                   // by output; nullptr: --top, or of stacks
  std::map<std::size_t, std::uint64_t> gaps_said_;  // by output
  bool writes_stdout_ = false;
  std::optional<LiveTable> live_;
  std::vector<otlp::Push> pushes_;
  std::optional<Stages> stages_;
  std::optional<Session> session_;
  std::vector<AnyProbe*> probes_;  // of the tool, once attached
  std::optional<Command> command_;
  std::optional<Progress> progress_;  // while events come
  std::optional<ReportFiles> reports_;
  RunStats stats_;
  BootTime started_;
  BootTime last_second_;
  BootTime last_event_;
  Idle idle_;
  std::uint64_t kept_before_ = 0;
  Duration elapsed_;  // of the trace, once it has ended
  WatchedProcesses watched_;
  std::uint64_t reported_lost_ = 0;
  std::uint64_t reported_missed_ = 0;
  bool signalled_ = false;
  bool threshold_held_ = false;
  int status_ = 0;
};

}  // namespace

int run_tool(RunSetup setup) {
  const bool verbose = setup.options.verbose;
  LibbpfLog::capture(verbose);
  Run run(std::move(setup));
  const Result<void> result = run.go();
  if (!result) print_error(result.error(), verbose);
  if (run.command_status() != 0) return run.command_status();
  if (!result) return kFailed;
  return run.threshold_held() ? kThresholdHeld : kSuccess;
}

}  // namespace plumb
