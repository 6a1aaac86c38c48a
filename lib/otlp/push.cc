#include "otlp/push.h"

#include <pthread.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <fstream>
#include <limits>
#include <mutex>
#include <optional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "base/text.h"
#include "otlp/encoding.h"
#include "otlp/log_sink.h"
#include "otlp/queue.h"
#include "otlp/span_sink.h"
#include "otlp/transport.h"

namespace plumb::otlp {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostQueuedBytes = 32 * 1024 * 1024;
constexpr auto kPatience = std::chrono::seconds(1);
constexpr auto kGrace =
    std::chrono::milliseconds(500);  // for a request that runs into the end to be given up

#if defined(__x86_64__)
constexpr const char* kArchitecture = "amd64";
#else
constexpr const char* kArchitecture = "arm64";
#endif

// host.id is the machine's id (semantic conventions, docs/resource/host.md), which a container has not. Empty: none.
std::string machine_id() {
  for (const char* path : {"/etc/machine-id", "/var/lib/dbus/machine-id"}) {
    std::string id;
    std::ifstream file(path);
    if (std::getline(file, id) && id.size() == 32 &&
        id.find_first_not_of("0123456789abcdef") == std::string::npos)
      return id;
  }
  return {};
}

// What the user says of the resource overrules what plumb says.
Source source_of(const Config& config, const std::string& version) {
  Source source{config.resource, version};
  utsname machine{};
  ::uname(&machine);
  const Pair own[] = {{"service.name", "plumb"},         {"service.version", version},
                      {"host.name", machine.nodename},   {"host.id", machine_id()},
                      {"host.arch", kArchitecture},      {"os.type", "linux"},
                      {"os.version", machine.release},   {"telemetry.sdk.name", "plumb"},
                      {"telemetry.sdk.language", "cpp"}, {"telemetry.sdk.version", version}};
  for (const Pair& p : own) {
    const bool said = std::any_of(config.resource.begin(), config.resource.end(),
                                  [&](const Pair& q) { return q.key == p.key; });
    if (!said && !p.value.empty()) source.resource.push_back(p);
  }
  return source;
}

// Whatever a collector provokes, and a want of memory, ends the pushing alone: what is left counts as undelivered.
void run_exporter(Exporter& exporter) {
  try {
    exporter.run();
  } catch (const std::exception& e) {
    exporter.note(std::string("pushing ended: ") + e.what());
  }
}

class RunPacer final : public Pacer {
 public:
  std::int64_t left_ns() const override {
    const std::lock_guard lock(mutex_);
    return left();
  }

  bool pause(std::int64_t ns) override {
    std::unique_lock lock(mutex_);
    const auto until = Clock::now() + std::chrono::nanoseconds(ns);
    const auto too_late = [&] { return end_ && *end_ < until; };
    return !changed_.wait_until(lock, until, too_late) && !too_late();
  }

  UnixTime real() const override { return system_clock_source().real(); }
  double random() override { return std::uniform_real_distribution<double>(0, 1)(random_); }

  void end_at(Clock::time_point end) {
    const std::lock_guard lock(mutex_);
    end_ = end;
    changed_.notify_all();
  }

 private:
  std::int64_t left() const {
    if (!end_) return std::numeric_limits<std::int64_t>::max();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(*end_ - Clock::now()).count();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Clock::time_point> end_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

struct Push::State {
  State(Config c, std::unique_ptr<Encoding> e, std::unique_ptr<Transport> t)
      : config(std::move(c)), encoding(std::move(e)), transport(std::move(t)) {}

  Config config;
  std::unique_ptr<Encoding> encoding;
  std::unique_ptr<Transport> transport;
  Queue queue{config.queue_records, kMostQueuedBytes};
  RunPacer pacer;
  Exporter exporter{queue, *encoding, *transport, pacer, config.timeout_ns, config.gzip && !config.dry_run};
  std::mutex mutex;
  std::condition_variable changed;
  bool running = false;
  Clock::time_point end;  // after close()
  SpanCounts spans;
};

Push::Push(std::shared_ptr<State> state) : state_(std::move(state)) {}
Push::Push(Push&&) noexcept = default;

Push::~Push() {
  if (state_) finish(nullptr);
}

Result<Push> Push::open(const Config& config, const std::string& version) {
  const Source source = source_of(config, version);
  const auto protobuf = [&] { return make_protobuf_encoding(source, config.signal); };
  const auto json = [&] { return make_json_encoding(source, config.signal); };
  auto encoding = config.protocol == Protocol::json ? json() : protobuf();
  const std::string content_type(encoding->content_type());
  if (config.dry_run) {
    return Push(
        std::make_shared<State>(config, json(), make_dry_run(config, content_type, "plumb/" + version)));
  }
  auto transport = make_http_transport(config, content_type, "plumb/" + version);
  if (!transport) return std::move(transport).error();
  return Push(std::make_shared<State>(config, std::move(encoding), *std::move(transport)));
}

std::unique_ptr<Sink> Push::make_sink(const Schema& schema, const std::string& tool,
                                      const Telemetry* telemetry, std::span<const Push> all) {
  const Config& config = state_->config;
  BatchLimits limits;
  limits.records = config.batch_records;
  limits.delay_ns = config.delay_ns;
  const ClockSource& clock = system_clock_source();
  switch (config.signal) {
    case Signal::traces: {
      // Who names the service for plumb means all of it.
      const auto names_service = [](const Pair& p) { return p.key == "service.name"; };
      const bool by_owner = std::none_of(config.resource.begin(), config.resource.end(), names_service);
      return make_span_sink(*telemetry, config.sampler,
                            Batcher(*state_->encoding, state_->queue, clock, limits), random_bits(),
                            state_->spans, {by_owner, config.url_template});
    }
    case Signal::metrics:
      return make_metric_sink(*telemetry, {config.delta, config.interval_ns, outcomes_of(all)},
                              Batcher(*state_->encoding, state_->queue, clock, limits), clock);
    case Signal::profiles:
      return nullptr;
    case Signal::logs:
      break;
  }
  return otlp::make_sink(schema, tool, *state_->encoding, state_->queue, clock, limits);
}

void Push::offer(const Describe& item, const Describe& beside) {
  Batch batch{.count = 1, .beside = state_->encoding->beside(beside)};
  state_->encoding->append(batch.records, item);
  state_->queue.offer(std::move(batch));
}

std::vector<PushedItems> Push::outcomes_of(std::span<const Push> all) {
  std::vector<PushedItems> out;
  for (const Push& push : all) {
    out.push_back({push.config().signal, [state = push.state_] {
                     const Progress progress = state->exporter.progress();
                     return PushedCounts{progress.delivered, progress.refused, state->queue.dropped()};
                   }});
  }
  return out;
}

Result<void> Push::start(void (*prepare)()) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Result<void> result;
  state_->running = true;
  try {
    thread_ = std::thread([state = state_, prepare] {
      prepare();
      run_exporter(state->exporter);
      const std::lock_guard lock(state->mutex);
      state->running = false;
      state->changed.notify_all();
    });
  } catch (const std::system_error& e) {
    state_->running = false;
    result = Error{"cannot start the thread that pushes", e.what()};
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

void Push::close() {
  if (!thread_.joinable() || state_->end != Clock::time_point{}) return;
  state_->end = Clock::now() + std::chrono::nanoseconds(state_->config.timeout_ns);
  state_->queue.close();
  state_->pacer.end_at(state_->end);
}

void Push::finish(void (*notice)(const Config&)) {
  if (!thread_.joinable()) return;
  close();
  const Clock::time_point end = state_->end;
  std::unique_lock lock(state_->mutex);
  const auto ended = [this] { return !state_->running; };
  if (!state_->changed.wait_until(lock, std::min(Clock::now() + kPatience, end), ended)) {
    if (notice != nullptr) notice(state_->config);
    state_->changed.wait_until(lock, end + kGrace, ended);
  }
  const bool all_over = ended();
  lock.unlock();
  if (all_over)
    thread_.join();
  else
    thread_.detach();
}

Tally Push::tally() const {
  const Progress progress = state_->exporter.progress();
  Tally t;
  t.offered = state_->queue.offered();
  t.queue_full = state_->queue.dropped();
  t.delivered = progress.delivered;
  t.refused = progress.refused;
  t.undelivered = t.offered - t.queue_full - t.delivered - t.refused;
  t.requests = progress.requests;
  t.retries = progress.retries;
  t.not_sampled = state_->spans.not_sampled;
  append_printable(t.problem, progress.problem);
  t.hint = progress.hint;
  return t;
}

const Config& Push::config() const {
  return state_->config;
}

}  // namespace plumb::otlp
