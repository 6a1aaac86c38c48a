// The stages behind a tool, and the run loop around one that hooks nothing.
#include "run/stages.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "query/group_summary.h"
#include "run/run.h"
#include "sample_event.h"

using namespace plumb;
using sample::Event;

namespace {

struct Seen {
  std::vector<std::string> rows;
  std::uint64_t lost = 0;
  bool ended = false;
};

class NotingSink final : public Sink {
 public:
  NotingSink(Seen& seen, std::size_t room) : seen_(seen), room_(room) {}
  Result<void> row(const Row& row) override {
    if (seen_.rows.size() >= room_) return Error{"no room"};
    seen_.rows.emplace_back(row.schema().spec(1).key);
    return {};
  }
  Result<void> lost(const Loss& loss) override {
    seen_.lost += loss.count;
    return {};
  }
  Result<void> end() override {
    seen_.ended = true;
    return {};
  }

 private:
  Seen& seen_;
  std::size_t room_;
};

struct Fixture {
  Seen seen;
  CommonOptions options;
  Expressions expressions;

  Stages stages(std::unique_ptr<Summary> summary = nullptr, std::size_t room = 1000) {
    auto compiled = Expressions::compile(options, sample::kSchema);
    REQUIRE(compiled);
    expressions = *std::move(compiled);
    std::vector<std::unique_ptr<Sink>> sinks;
    sinks.push_back(std::make_unique<NotingSink>(seen, room));
    return {std::move(sinks), expressions, {sample::kSchema, kAllTypes, options.count, std::move(summary)}};
  }
};

Event of(std::string_view comm) {
  Event e;
  e.comm = comm;
  return e;
}

}  // namespace

TEST_CASE("stages: --where keeps, --fail-if sees what is kept, --count ends it") {
  Fixture f;
  f.options.where = {"comm == 'a'"};
  f.options.fail_if = {"count > 1"};
  f.options.count = 2;
  Stages stages = f.stages();
  const Event a = of("a");
  const Event b = of("b");
  CHECK(stages.push(Row(sample::kSchema, b)));
  CHECK(stages.push(Row(sample::kSchema, a)));
  CHECK_FALSE(stages.push(Row(sample::kSchema, a)));  // the second: no more is wanted
  CHECK_FALSE(stages.push(Row(sample::kSchema, a)));
  CHECK(stages.kept() == 2);
  CHECK(f.seen.rows.size() == 2);
  CHECK(f.expressions.judge.evaluate(Duration{1}).front().verdict.holds);
}

TEST_CASE("stages: a summary takes the rows and gives its own at the end, whatever --count was") {
  Fixture f;
  f.options.count = 3;
  auto by = group_fields(sample::kSchema, {"comm"});
  REQUIRE(by);
  Stages stages = f.stages(make_group_summary({sample::kSchema, *by}));
  for (const char* comm : {"a", "b", "a", "c"}) {
    const Event e = of(comm);
    stages.push(Row(sample::kSchema, e));
  }
  CHECK(stages.done());
  CHECK(f.seen.rows.empty());
  stages.lift_limit();
  stages.finish_summary();
  CHECK(f.seen.rows == std::vector<std::string>{"comm", "comm"});  // a and b; c came too late
}

TEST_CASE("stages: a sink that fails ends the run, losses and the end still reach it") {
  Fixture f;
  Stages stages = f.stages(nullptr, 1);
  const Event a = of("a");
  CHECK(stages.push(Row(sample::kSchema, a)));
  CHECK_FALSE(stages.push(Row(sample::kSchema, a)));
  REQUIRE(stages.error());
  CHECK(stages.error()->what == "no room");
  CHECK(stages.done());
  stages.lost({{}, 5, "why"});
  stages.end();
  CHECK(f.seen.lost == 5);
  CHECK(f.seen.ended);
}

TEST_CASE("stages: of several sinks each gets what comes before one fails, losses and the end all the same") {
  Fixture f;
  Seen patient;
  auto compiled = Expressions::compile(f.options, sample::kSchema);
  REQUIRE(compiled);
  f.expressions = *std::move(compiled);
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(std::make_unique<NotingSink>(f.seen, 1));
  sinks.push_back(std::make_unique<NotingSink>(patient, 1000));
  Stages stages(std::move(sinks), f.expressions, {sample::kSchema, kAllTypes, {}, nullptr});
  const Event a = of("a");
  CHECK(stages.push(Row(sample::kSchema, a)));
  CHECK_FALSE(stages.push(Row(sample::kSchema, a)));
  CHECK_FALSE(stages.push(Row(sample::kSchema, a)));  // nothing more is wanted
  stages.lost({{}, 5, "why"});
  stages.end();
  CHECK(f.seen.rows.size() == 1);
  CHECK(patient.rows.size() == 2);  // the row that the first had no room for, too
  CHECK(f.seen.lost == 5);
  CHECK(patient.lost == 5);
  CHECK(f.seen.ended);
  CHECK(patient.ended);
}

namespace {

// Gives one record each time it is drained.
class FakeProbe final : public AnyProbe {
 public:
  FakeProbe(std::uint64_t losses, std::uint64_t missed)
      : losses_(losses), missed_(missed), wake_(::eventfd(1, EFD_CLOEXEC)) {}
  Result<void> drain() override {
    if (on_drain) on_drain();
    ++drained_;
    return {};
  }
  int poll_fd() const override { return wake_.get(); }
  void detach() override { detached_ = true; }
  std::uint64_t lost() const override { return detached_ ? losses_ : 0; }
  std::uint64_t seen() const override { return drained_; }
  std::uint64_t missed() const override { return missed_; }
  const bpf_object* object() const override { return nullptr; }
  const std::vector<HookChoice>& choices() const override { return choices_; }

  std::function<void()> on_drain;

 private:
  std::uint64_t losses_;
  std::uint64_t missed_;
  UniqueFd wake_;
  std::uint64_t drained_ = 0;
  bool detached_ = false;
  std::vector<HookChoice> choices_;
};

// Two probes, as a tool that uses another's.
class FakeTool final : public Tool {
 public:
  OptionTable options() override { return {}; }
  const Schema& schema() const override { return sample::kSchema; }
  std::vector<Hook> hooks() const override { return {}; }
  Result<void> attach(Session& session) override {
    first_.on_drain = second_.on_drain = [&session, this] {
      const Event e = of("x");
      if (session.out.push(Row(sample::kSchema, e))) ++pushed_;
    };
    return {};
  }
  std::vector<AnyProbe*> probes() override { return {&first_, &second_}; }

 private:
  FakeProbe first_{3, 2}, second_{4, 0};
  std::uint64_t pushed_ = 0;
};

const ToolInfo kFake{.name = "fake", .schema = &sample::kSchema};

struct Ended {
  int status = -1;
  std::string out, err;
};

std::string contents(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// In a child, since a run gives up privileges and takes signals over. `prepare` runs in it first.
Ended run_fake(
    CommonOptions options, const std::function<void()>& prepare = [] {}) {
  char directory[] = "/tmp/plumb-run-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const std::string out = std::string(directory) + "/out.json";
  const std::string err = std::string(directory) + "/err";
  if (options.outputs.empty()) options.outputs = {out};
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (std::freopen(err.c_str(), "w", stderr) == nullptr) ::_exit(99);
    prepare();
    FakeTool tool;
    if (!tool.bind(options)) ::_exit(98);
    auto expressions = Expressions::compile(options, sample::kSchema);
    if (!expressions) ::_exit(97);
    const std::vector<otlp::Config> no_push;
    std::unique_ptr<Summary> summary;
    if (options.summary) {
      auto by = group_fields(sample::kSchema, {"comm"});
      if (!by) ::_exit(96);
      summary = make_group_summary({sample::kSchema, *by});
    }
    const int status = run_tool({kFake, tool, options, *expressions, no_push, std::move(summary)});
    std::fflush(stderr);
    ::_exit(status);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  Ended ended{WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(out), contents(err)};
  ::unlink(out.c_str());
  ::unlink(err.c_str());
  ::rmdir(directory);
  return ended;
}

std::size_t lines(const std::string& text, std::string_view with) {
  std::size_t count = 0;
  for (std::size_t at = text.find(with); at != std::string::npos; at = text.find(with, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("run loop: --count ends it; losses of all probes add up and are told") {
  CommonOptions options;
  options.count = 5;
  const Ended ended = run_fake(options);
  CHECK(ended.status == 0);
  CHECK(lines(ended.out, R"("type":"begin")") == 5);
  CHECK(ended.err.find("7 events lost") != std::string::npos);
}

TEST_CASE("run loop: runs that the kernel skipped are told apart from events that found no room") {
  CommonOptions options;
  options.count = 1;
  const Ended ended = run_fake(options);
  CHECK(ended.status == 0);
  CHECK(ended.err.find("2 events lost: a probe would have interrupted itself") != std::string::npos);
}

TEST_CASE("run loop: --summary gives its rows at the end, and --count says how many events they are of") {
  CommonOptions options;
  options.summary = true;
  options.count = 6;
  const Ended ended = run_fake(options);
  CHECK(ended.status == 0);
  CHECK(lines(ended.out, R"("comm":"x")") == 1);
  CHECK(lines(ended.out, R"("count":6)") == 1);
  CHECK(lines(ended.out, R"("type":"begin")") == 0);
}

TEST_CASE("run loop: one output of two that fails ends the run with its name; the other is whole") {
  CommonOptions options;
  char path[] = "/tmp/plumb-two-XXXXXX.json";
  const int fd = ::mkstemps(path, 5);
  REQUIRE(fd >= 0);
  ::close(fd);
  options.outputs = {"/dev/full", path};
  options.format = Format::json;
  const Ended ended = run_fake(options);
  CHECK(ended.status == 1);
  CHECK(ended.err.find("/dev/full") != std::string::npos);
  const std::string other = contents(path);
  ::unlink(path);
  CHECK(lines(other, R"("type":"begin")") >= 1);
  CHECK(other.ends_with("}\n"));
}

TEST_CASE("run loop: --duration ends it, the last drain comes after the probes are off, a loss is a line") {
  CommonOptions options;
  options.duration_ns = 1'000'000;
  const Ended ended = run_fake(options);
  CHECK(ended.status == 0);
  CHECK(lines(ended.out, R"("type":"begin")") >= 2);
  CHECK(lines(ended.out, R"({"type":"lost")") == 2);  // what found no room, and what was skipped
  CHECK(lines(ended.out, R"("count":7})") == 1);
  CHECK(lines(ended.out, R"("count":2})") == 1);
}

TEST_CASE("run loop: a --fail-if that holds is status 3, and said with its value") {
  CommonOptions options;
  options.count = 4;
  options.fail_if = {"count >= 4"};
  const Ended ended = run_fake(options);
  CHECK(ended.status == 3);
  CHECK(ended.err.find("FAILED: count >= 4: count = 4") != std::string::npos);
}

TEST_CASE("run loop: an output that cannot be written is an error with its name") {
  CommonOptions options;
  options.outputs = {"/dev/full"};
  options.format = Format::json;
  const Ended ended = run_fake(options);
  CHECK(ended.status == 1);
  CHECK(ended.err.find("/dev/full") != std::string::npos);
}

TEST_CASE("run loop: a reader that goes away ends it quietly") {
  CommonOptions options;
  options.outputs = {"-"};
  options.format = Format::json;
  const Ended ended = run_fake(options, [] {
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(96);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
  });
  CHECK(ended.status == 0);
  CHECK(ended.err.find("cannot") == std::string::npos);
}
