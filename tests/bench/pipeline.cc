// The way of an event from the ring buffer to a line: decode, enrich, write. A million synthetic events
// through each stage, in nanoseconds an event, and as a ratio to a baseline that is measured in the same run
// (copy the record, format one short line with fmt), so that numbers from different machines compare. Rounds
// are interleaved and the best of each counts, since what disturbs a round only ever makes it longer.
// Allocations are counted by operator new; the steady state must have none: the exit status says so.
//
//   bench_pipeline [EVENTS] [ROUNDS]
#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <new>
#include <vector>

#include "sink/formats.h"
#include "tcpconnect/event.h"

namespace {

std::uint64_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete[](void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}

using namespace plumb;

namespace {

constexpr std::size_t kRecords = 8192;  // over a megabyte: they come from memory, as from a ring buffer
constexpr std::size_t kProcesses = 64;
constexpr std::uint32_t kFirstPid = 1000;
const std::uint64_t kTickNs = 1'000'000'000U / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));

// A recorded /proc in which every process is in a container of a pod, as on a busy node.
class RecordedProc {
 public:
  RecordedProc() {
    if (::mkdtemp(root_) == nullptr) std::abort();
    for (std::size_t i = 0; i < kProcesses; ++i) {
      const auto directory = std::filesystem::path(root_) / "proc" / std::to_string(kFirstPid + i);
      std::filesystem::create_directories(directory);
      // Field 22 is the start in ticks: process N started at tick N.
      std::ofstream(directory / "stat")
          << kFirstPid + i << " (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " << kFirstPid + i << " 0 0\n";
      std::ofstream(directory / "cgroup")
          << "0::/kubepods.slice/kubepods-pod0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0.slice/cri-containerd-"
             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope\n";
    }
  }
  ~RecordedProc() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  RecordedProc(const RecordedProc&) = delete;
  RecordedProc& operator=(const RecordedProc&) = delete;

  std::string root() const { return root_; }

 private:
  char root_[32] = "/tmp/plumb-bench-XXXXXX";
};

std::vector<tcpconnect_event> synthetic_events() {
  static constexpr std::string_view kComms[] = {"nginx", "postgres",       "curl",
                                                "envoy", "kube-apiserver", "python3"};
  std::vector<tcpconnect_event> events(kRecords);
  std::uint64_t random = 88'172'645'463'325'252;  // xorshift64
  const auto next = [&random](std::uint64_t below) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random % below;
  };
  std::uint64_t now = 1'000'000'000'000;
  for (auto& e : events) {
    e.time_ns = now += 1 + next(20'000);
    e.latency_ns = 20'000 + next(2'000'000);
    e.type = TCPCONNECT_CONNECT;
    e.role = ROLE_CLIENT;
    e.outcome = next(10) == 0 ? OUTCOME_REFUSED : OUTCOME_ESTABLISHED;
    e.error = e.outcome == OUTCOME_REFUSED ? 111 : 0;
    e.known = KNOWN_OWNER | KNOWN_LATENCY;
    e.task.pid = e.task.tid = kFirstPid + static_cast<std::uint32_t>(next(kProcesses));
    e.task.start_ns = e.task.pid * kTickNs;
    e.task.cgroup_id = 4096;
    e.task.uid = static_cast<std::uint32_t>(next(2) * 1000);
    const std::string_view comm = kComms[next(std::size(kComms))];
    std::memcpy(e.task.comm, comm.data(), comm.size());
    e.netns = 4'026'531'840;
    e.family = next(4) == 0 ? AF_INET6 : AF_INET;
    const std::size_t size = e.family == AF_INET ? 4 : 16;
    for (std::size_t i = 0; i < size; ++i) {
      e.local_addr[i] = static_cast<std::uint8_t>(1 + next(255));
      e.remote_addr[i] = static_cast<std::uint8_t>(1 + next(255));
    }
    e.local_port = static_cast<std::uint16_t>(32'768 + next(28'000));
    e.remote_port = static_cast<std::uint16_t>(next(2) == 0 ? 443 : 5432);
  }
  return events;
}

// Keeps a result alive for the optimiser.
template <class T>
void use(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

struct Stage {
  const char* name;
  double budget_ns;  // 0: none
  std::function<void(std::size_t events)> run;
  double best_ns = std::numeric_limits<double>::infinity();
  std::uint64_t allocated = 0;  // in all rounds after the first
};

void measure(std::vector<Stage>& stages, std::size_t events, int rounds) {
  for (int round = -1; round < rounds; ++round) {  // the first warms caches and buffers
    for (Stage& stage : stages) {
      const std::uint64_t before = allocations;
      const auto began = std::chrono::steady_clock::now();
      stage.run(events);
      const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
      if (round < 0) continue;
      stage.best_ns = std::min(stage.best_ns, took.count() / static_cast<double>(events));
      stage.allocated += allocations - before;
    }
  }
}

TableStyle table_style() {
  TableStyle style;
  style.columns = *choose_columns(kConnectSchema, {}, false);
  style.color = true;
  style.terminal_columns = 160;
  style.terminal_rows = 50;
  return style;
}

// A sink that writes to the null device: the write(2) calls are part of what a line costs.
struct NullDevice {
  NullDevice() {
    auto opened = Output::file("/dev/null");
    if (!opened) std::abort();
    output = *std::move(opened);
  }
  Output output = Output::memory();
};

bool print(const std::vector<Stage>& stages, std::size_t events, int rounds) {
  bool clean = true;
  const double baseline = stages.front().best_ns;
  for (const Stage& s : stages) {
    const double each = static_cast<double>(s.allocated) / static_cast<double>(events) / rounds;
    fmt::print("{:<34} {:>7.1f} ns/event {:>6.2f} x baseline {:>9.6f} allocations/event", s.name, s.best_ns,
               s.best_ns / baseline, each);
    if (s.budget_ns != 0)
      fmt::print("   {} of {} ns", s.best_ns <= s.budget_ns ? "within" : "OVER", s.budget_ns);
    fmt::print("\n");
    clean = clean && s.allocated == 0;
  }
  return clean;
}

int run(std::size_t events, int rounds) {
  const std::vector<tcpconnect_event> records = synthetic_events();
  const BootClock clock;
  const RecordedProc recorded;
  const auto procfs = procfs_below(recorded.root());
  ProcessCache processes(*procfs);
  NullDevice json_device, table_device;
  const auto json = make_json_sink(kConnectSchema, json_device.output);
  const auto table = make_table_sink(kConnectSchema, table_device.output, table_style());

  auto first = decode_connect(std::as_bytes(std::span(records.data(), 1)), clock);
  enrich(*first, processes);
  if (first->origin.names.container.empty()) fmt::print("note: enrichment finds no container\n");

  const auto for_each = [&records](std::size_t n, auto step) {
    for (std::size_t i = 0; i < n; ++i) step(std::as_bytes(std::span(&records[i % kRecords], 1)));
  };
  const auto through = [&](Sink& sink) {
    return [&](std::size_t n) {
      for_each(n, [&](std::span<const std::byte> record) {
        auto event = decode_connect(record, clock);
        enrich(*event, processes);
        if (!sink.row(Row(kConnectSchema, *event))) std::abort();
      });
      if (!sink.flush()) std::abort();
    };
  };

  std::vector<Stage> stages;
  stages.push_back({"baseline: memcpy + one fmt line", 0, [&](std::size_t n) {
                      for_each(n, [](std::span<const std::byte> record) {
                        tcpconnect_event copy;
                        std::memcpy(&copy, record.data(), sizeof copy);
                        char line[256];
                        const auto end = fmt::format_to_n(line, sizeof line, "{} {} {} {}\n", copy.time_ns,
                                                          copy.task.pid, copy.task.comm, copy.latency_ns);
                        use(*line);
                        use(end);
                      });
                    }});
  stages.push_back({"decode", 0, [&](std::size_t n) {
                      for_each(
                          n, [&](std::span<const std::byte> record) { use(*decode_connect(record, clock)); });
                    }});
  stages.push_back({"decode, enrich", 0, [&](std::size_t n) {
                      for_each(n, [&](std::span<const std::byte> record) {
                        auto event = decode_connect(record, clock);
                        enrich(*event, processes);
                        use(*event);
                      });
                    }});
  stages.push_back({"decode, enrich, JSON line", 1000, through(*json)});
  stages.push_back({"decode, enrich, table line", 2000, through(*table)});

  measure(stages, events, rounds);
  if (print(stages, events, rounds)) return 0;
  fmt::print("the steady state allocates\n");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const long events = argc > 1 ? std::atol(argv[1]) : 1'000'000;
  const long rounds = argc > 2 ? std::atol(argv[2]) : 5;
  if (events <= 0 || rounds <= 0) {
    fmt::print(stderr, "usage: bench_pipeline [EVENTS] [ROUNDS]\n");
    return 2;
  }
  return run(static_cast<std::size_t>(events), static_cast<int>(rounds));
}
