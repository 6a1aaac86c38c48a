#include "flame/probe.h"

#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

#include "base/clock.h"
#include "probe/kernel_btf.h"
#include "probe/map_entries.h"
#include "probe/perf_event.h"
#include "probe/tracepoint.h"

namespace plumb {
namespace {

constexpr std::uint32_t kLeastRing = 4U << 20;
constexpr std::uint32_t kMostRing = 64U << 20;
constexpr std::uint32_t kMostInFlight = 1'024;  // requests; 22 MB
constexpr std::uint64_t kMsBetweenDrains = 100;

Feature always(Features&) {
  return {true};
}

perf_event_attr attr_of(std::uint32_t type, std::uint64_t config) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = type;
  attr.config = config;
  return attr;
}

// A ring that holds four times what all CPUs send between two drains.
std::uint32_t ring_bytes(const FlameOptions& options, std::size_t cpus) {
  const std::uint64_t sample = sizeof(flame_sample) + options.stack_bytes;
  const std::uint64_t wanted = cpus * (options.frequency * kMsBetweenDrains / 1'000 + 1) * sample * 4;
  std::uint32_t bytes = kLeastRing;
  while (bytes < wanted && bytes < kMostRing) bytes *= 2;
  return bytes;
}

// Room for each thread that lives now and as many again: /proc/loadavg, "0.00 0.01 0.05 2/345 6789".
std::uint32_t thread_entries() {
  std::ifstream file("/proc/loadavg");
  std::string word;
  for (int i = 0; i < 4; ++i) file >> word;
  const std::size_t slash = word.find('/');
  const std::uint64_t threads =
      slash == std::string::npos ? 0 : std::strtoull(word.c_str() + slash + 1, nullptr, 10);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(2 * threads + 256, 512, 8'192));
}

}  // namespace

std::vector<Hook> FlameProbe::hooks(const FlameOptions& options) {
  const FlameEvent event = options.event;
  const bool counter = event == FlameEvent::cpu || event == FlameEvent::faults;
  const auto switched = [](Features& f) { return f.tracepoint("sched_switch"); };
  const auto block_tracepoints = [](Features& f) {
    const Feature& issued = f.tracepoint("block_rq_issue");
    return issued.works ? f.tracepoint("block_rq_complete") : issued;
  };
  return {{.name = "counter",
           .purpose = "stacks at a steady rate, and of page faults",
           .variants = {{"perf_event", {"on_counter"}, always, "3 to 8 us a sample"}},
           .wanted = counter},
          {.name = "switch",
           .purpose = "how long threads wait, and where",
           .variants = {{"tp_btf", {"on_switch"}, switched, "3 to 6 us each time a thread waits"}},
           .wanted = event == FlameEvent::offcpu || event == FlameEvent::runq},
          {.name = "wakeup",
           .purpose = "how long threads wait for a CPU",
           .variants = {{"tp_btf",
                         {"on_wakeup"},
                         [](Features& f) { return f.tracepoint("sched_wakeup"); },
                         "under 1 us each time a thread is woken"}},
           .wanted = event == FlameEvent::runq},
          {.name = "waker",
           .purpose = "who ends a wait",
           .variants = {{"tp_btf",
                         {"on_waking"},
                         [](Features& f) { return f.tracepoint("sched_waking"); },
                         "3 to 6 us each time a thread that waited for long is woken"}},
           .wanted = options.wakers},
          {.name = "block",
           .purpose = "requests to block devices",
           .variants = {{"tp_btf", {"on_issue", "on_complete"}, block_tracepoints, "5 to 10 us a request"}},
           .wanted = event == FlameEvent::block || event == FlameEvent::block_bytes},
          {.name = "tracepoint",
           .purpose = "stacks at a tracepoint",
           .variants = {{"perf", {"on_tracepoint"}, always, "3 to 8 us an event"}},
           .wanted = event == FlameEvent::tracepoint},
          {.name = "uprobe",
           .purpose = "stacks at a function of a program",
           .variants = {{"perf", {"on_function"}, always, "4 to 9 us a call"}},
           .wanted = event == FlameEvent::uprobe}};
}

Result<void> FlameProbe::start(Session& session, const FlameOptions& options, OnRecord on_record) {
  on_record_ = std::move(on_record);
  if (auto r = probe_.open(session.features, session.filter, hooks(options)); !r) return r;
  if (auto r = configure(options); !r) return r;
  if (options.is_block()) {
    auto types = session.features.kernel_types();
    if (!types) return std::move(types).error();
    probe_->rodata->config.block_queue = (*types)->tracepoint_arguments("block_rq_issue").value_or(1) > 1;
  }
  auto mappings = MappingEvents::open();
  if (!mappings) return std::move(mappings).error();
  mappings_.emplace(*std::move(mappings));
  auto cpus = online_cpus();
  if (!cpus) return std::move(cpus).error();
  if (auto r = probe_.start<&FlameProbe::record>(ring_bytes(options, cpus->size()), *this); !r) return r;
  return attach(options);
}

Result<void> FlameProbe::configure(const FlameOptions& options) {
  flame_config& config = probe_->rodata->config;
  config.stack_most = options.stack_bytes;
  config.user = options.user;
  config.kernel = options.kernel;
  config.idle = options.idle;
  config.python = options.python && options.user;
  bpf_map__set_max_entries(probe_->maps.python_told, config.python != 0 ? FLAME_PYTHON_TOLD : 1);
  const bool waits = options.waits();
  const std::int64_t least = options.event == FlameEvent::offcpu ? 1'000'000 : 0;
  config.min_block_ns = static_cast<std::uint64_t>(options.min_block_ns.value_or(least));
  config.involuntary = options.event == FlameEvent::runq;
  const auto cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  bpf_map__set_max_entries(probe_->maps.slots, waits && !options.wakers ? 1 : cpus);
  config.block_bytes = options.event == FlameEvent::block_bytes;
  bpf_map__set_max_entries(probe_->maps.in_flight, options.event == FlameEvent::block ? kMostInFlight : 1);
  bpf_map__set_max_entries(probe_->maps.blocked, waits ? thread_entries() : 1);
  return {};
}

Result<void> FlameProbe::attach(const FlameOptions& options) {
  switch (options.event) {
    case FlameEvent::offcpu:
    case FlameEvent::runq:
    case FlameEvent::block:
    case FlameEvent::block_bytes:
      return {};  // by libbpf
    case FlameEvent::cpu:
    case FlameEvent::faults:
      return attach_counters(options);
    case FlameEvent::tracepoint:
      return attach_tracepoint(options);
    case FlameEvent::uprobe:
      return attach_function(options);
  }
  return {};
}

// One counter on one CPU: the kernel runs programs of a tracepoint wherever it is passed.
Result<void> FlameProbe::attach_tracepoint(const FlameOptions& options) {
  auto number = tracepoint_number(options.category, options.name);
  if (!number) return std::move(number).error();
  auto cpus = online_cpus();
  if (!cpus) return std::move(cpus).error();
  perf_event_attr attr = attr_of(PERF_TYPE_TRACEPOINT, *number);
  attr.sample_period = 1;
  auto fd = open_perf_event(attr, -1, cpus->front());
  if (!fd) return std::move(fd).error();
  return attach_counter(*probe_->progs.on_tracepoint, *std::move(fd));
}

Result<void> FlameProbe::attach_function(const FlameOptions& options) {
  LIBBPF_OPTS(bpf_uprobe_opts, uprobe);
  uprobe.func_name = options.name.c_str();
  bpf_link* link =
      bpf_program__attach_uprobe_opts(probe_->progs.on_function, -1, options.category.c_str(), 0, &uprobe);
  if (link == nullptr) {
    if (errno == ENOENT && ::access(options.category.c_str(), F_OK) == 0) {
      return Error{"no function " + options.name + " in " + options.category,
                   "neither its symbol table nor its dynamic one has that name",
                   "nm -D --defined-only " + options.category + " lists the dynamic ones"};
    }
    return bpf_error("cannot attach to " + event_text(options), errno);
  }
  counters_.emplace_back(link);
  return {};
}

// Cycles where there is a counter of them, which do not count while a CPU sleeps; otherwise the clock.
Result<void> FlameProbe::attach_counters(const FlameOptions& options) {
  auto cpus = online_cpus();
  if (!cpus) return std::move(cpus).error();
  perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
  attr.freq = 1;
  attr.sample_freq = options.frequency;
  counter_ = "cycles";
  perf_event_attr clock = attr_of(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
  clock.sample_period = 1'000'000'000 / options.frequency;
  if (options.event == FlameEvent::faults) {
    attr = attr_of(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS);
    attr.sample_period = 1;
    counter_ = "page-faults";
  } else if (auto tried = open_perf_event(attr, -1, cpus->front()); !tried) {
    attr = clock;
    counter_ = "cpu-clock";
  }
  for (const int cpu : *cpus) {
    auto fd = open_perf_event(attr, -1, cpu);
    if (!fd) return std::move(fd).error();
    if (auto r = attach_counter(*probe_->progs.on_counter, *std::move(fd)); !r) return r;
  }
  return {};
}

Result<void> FlameProbe::attach_counter(const bpf_program& program, UniqueFd fd) {
  bpf_link* link = bpf_program__attach_perf_event(&program, fd.get());
  if (link == nullptr) return bpf_error("cannot take stacks at a perf event", errno);
  fd.release();  // it is the link's now
  counters_.emplace_back(link);
  return {};
}

KernelNames::Source FlameProbe::kernel_names() {
  const int program = bpf_program__fd(probe_->progs.name_addresses);
  return {&probe_->bss->names, [program] {
            LIBBPF_OPTS(bpf_test_run_opts, run);
            return bpf_prog_test_run_opts(program, &run) == 0 && run.retval == 1;
          }};
}

void FlameProbe::each_blocked(const OnRecord& on_record) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                      static_cast<std::uint64_t>(now.tv_nsec) -
                      static_cast<std::uint64_t>(time_offsets().monotonic_ns);
  struct Blocked {
    flame_sample sample;
    std::byte stack[FLAME_BLOCKED_STACK_MOST + FLAME_PAGE + FLAME_PYTHON_BYTES];
  };
  const std::uint64_t least = probe_->rodata->config.min_block_ns;
  for_each_entry<std::uint32_t, Blocked>(
      bpf_map__fd(probe_->maps.blocked), [&](std::uint32_t, Blocked entry) {
        const std::uint64_t since = entry.sample.time_ns;
        if (since == 0 || since > now_ns || now_ns - since < least ||
            std::uint64_t{entry.sample.stack_bytes} + entry.sample.python_bytes > sizeof entry.stack)
          return;
        entry.sample.value = now_ns - since;
        entry.sample.flags |= FLAME_STILL_WAITS;
        on_record(std::as_bytes(std::span(&entry, 1))
                      .first(sizeof entry.sample + entry.sample.stack_bytes + entry.sample.python_bytes));
      });
}

}  // namespace plumb
