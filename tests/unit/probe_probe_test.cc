// Probe with the skeleton of a real tool, tcpconnect's. Up to open() no privilege is needed, and the hooks' answers are made
// up; what loads needs root, and is about connects of this process alone.
#include "probe/probe.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "tcpconnect/probe.h"

using namespace plumb;

namespace {

Feature works(Features&) {
  return {true};
}
Feature refuses(Features&) {
  return {false, "made up", ENOENT};
}
Feature must_not_be_asked(Features&) {
  FAIL_CHECK("a variant of a hook that is not wanted was probed");
  return {true};
}

std::vector<Hook> made_up_hooks() {
  return {
      {.name = "connect-error",
       .purpose = "connects that fail",
       .variants = {{"fexit", {"connect_v4_exit", "connect_v6_exit"}, refuses, ""},
                    {"sys_exit", {"syscall_ended"}, works, ""}}},
      {.name = "state",
       .purpose = "connections",
       .variants = {{"tp_btf", {"state_changed", "state_changed_nested"}, works, ""}}},
      {.name = "older",
       .purpose = "old sockets",
       .variants = {{"iterator", {"older_sockets"}, must_not_be_asked, ""}},
       .wanted = false},
      {.name = "first-traffic",
       .purpose = "who owns",
       .variants = {{"sock_length", {"traffic_sent"}, refuses, ""}},
       .required = false},
  };
}

// PLUMB_HOOKS for as long as it lives.
class ForcedHooks {
 public:
  explicit ForcedHooks(const char* text) { ::setenv("PLUMB_HOOKS", text, 1); }
  ~ForcedHooks() { ::unsetenv("PLUMB_HOOKS"); }
  ForcedHooks(const ForcedHooks&) = delete;
  ForcedHooks& operator=(const ForcedHooks&) = delete;
};

std::string failure(std::vector<Hook> hooks) {
  Features features;
  const TaskFilter filter;
  Probe<tcpconnect_bpf> probe;
  const auto opened = probe.open(features, filter, std::move(hooks));
  return opened ? std::string() : opened.error().what + " | " + opened.error().why;
}

std::size_t descriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

// To a port where nobody listens: refused at once.
void connect_in_vain(int times) {
  for (int i = 0; i < times; ++i) {
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0);
  }
}

// The client side of tcpconnect, of this process alone.
struct OwnConnects {
  Features& features;
  TaskFilter filter;
  Probe<tcpconnect_bpf> probe;
  std::uint64_t records = 0;

  explicit OwnConnects(Features& f) : features(f) {
    filter.pids.push_back(static_cast<std::uint32_t>(::getpid()));
  }
  Result<void> start(std::uint32_t ring_bytes) {
    if (auto r = probe.open(features, filter, ConnectProbe::hooks({})); !r) return r;
    tcpconnect_config& config = probe->rodata->config;
    config.client = config.lines = config.ipv4 = 1;
    config.connect_by_syscall = probe.choices()[1].uses(1);
    return probe.start<&OwnConnects::record>(ring_bytes, *this);
  }
  bool record(std::span<const std::byte>) {
    ++records;
    return true;
  }
};

bool can_load() {
  return ::geteuid() == 0 && Features().essentials();
}

std::uint32_t page() {
  return static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
}

// What `run` says, in a child: it may spoil what libbpf remembers of this kernel. Empty: all is well.
std::string in_child(const std::function<std::string()>& run) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string said = run();
    const bool whole = ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    ::_exit(whole ? 0 : 1);
  }
  ::close(ends[1]);
  const UniqueFd from(ends[0]);
  char text[4096];
  const ssize_t n = ::read(from.get(), text, sizeof text);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  return {text, n > 0 ? static_cast<std::size_t>(n) : 0};
}

// Starts with room for one descriptor more each time, until that works. Says what a start that failed left open.
std::string start_with_few_descriptors() {
  LibbpfLog::capture(false);
  Features features;
  if (auto r = OwnConnects(features).start(page()); !r) return "it does not start at all: " + r.error().why;
  const std::size_t before = descriptors();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  bool load_failed = false;
  bool attach_failed = false;
  for (rlim_t more = 0; more < 200; ++more) {
    OwnConnects own(features);
    const rlimit tight{before + more, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    const auto started = own.start(page());
    own.probe = Probe<tcpconnect_bpf>();
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (descriptors() != before)
      return "with room for " + std::to_string(more) + ", " + std::to_string(descriptors() - before) +
             " are left";
    if (started) return !load_failed ? "no load failed" : !attach_failed ? "no attaching failed" : "";
    load_failed = load_failed || started.error().what == "cannot load the BPF programs";
    attach_failed = attach_failed || started.error().what == "cannot attach the probes";
  }
  return "it does not start with 200 descriptors";
}

}  // namespace

TEST_CASE("probe: before it is open there is nothing to tell") {
  const Probe<tcpconnect_bpf> probe;
  CHECK(!probe);
  CHECK(probe.lost() == 0);
  CHECK(probe.seen() == 0);
  CHECK(probe.missed() == 0);
  CHECK(probe.object() == nullptr);
  CHECK(probe.executables() == -1);
  CHECK(probe.choices().empty());
}

TEST_CASE("probe: what its hooks chose is loaded, the filter is set, losses add up") {
  Features features;
  if (!features.kernel_types()) {
    MESSAGE("SKIP: a kernel without BTF");
    return;
  }
  TaskFilter filter;
  filter.pids = {42, 43};
  filter.uid = 7;
  filter.netns = 99;
  Probe<tcpconnect_bpf> probe;
  probe.leave_executables_to_others();
  REQUIRE(probe.open(features, filter, made_up_hooks()));
  CHECK(probe->rodata->filter.by_pid == 1);
  CHECK(probe->rodata->filter.by_comm == 0);
  CHECK(probe->rodata->filter.by_uid == 1);
  CHECK(probe->rodata->filter.uid == 7);
  CHECK(probe->rodata->filter.netns == 99);
  CHECK(bpf_map__max_entries(probe->maps.filter_pids) == 2);

  const auto& progs = probe->progs;
  for (const bpf_program* on : {progs.syscall_ended, progs.state_changed, progs.state_changed_nested}) {
    CHECK_MESSAGE(bpf_program__autoload(on), bpf_program__name(on));
  }
  for (const bpf_program* off :
       {progs.connect_v4_exit, progs.connect_v6_exit, progs.older_sockets, progs.traffic_sent,
        progs.follow_fork, progs.follow_exit, progs.remember_executable}) {
    CHECK_MESSAGE(!bpf_program__autoload(off), bpf_program__name(off));
  }
  REQUIRE(probe.choices().size() == 4);
  CHECK(probe.choices()[0].uses(1));
  CHECK(probe.choices()[0].tried[0].second.why == "made up");
  CHECK(probe.choices()[2].variant == nullptr);
  CHECK(probe.choices()[3].variant == nullptr);

  CHECK(probe.lost() == 0);
  probe->bss->lost_events[0] = 3;
  probe->bss->lost_events[1] = 2;
  probe->bss->seen_events[0].count = 5;
  probe->bss->seen_events[15].count = 1;
  CHECK(probe.lost() == 5);
  CHECK(probe.seen() == 6);
  CHECK(probe.missed() == 0);  // nothing is loaded
  probe.count_missed_by([](tcpconnect_bpf& skel) { return std::uint64_t{skel.bss->lost_events[0] + 10}; });
  CHECK(probe.missed() == 13);
  CHECK(probe.executables() == -1);
}

TEST_CASE("probe: a variant that is refused, forced or the last there is, ends it") {
  if (Features features; !features.kernel_types()) {
    MESSAGE("SKIP: a kernel without BTF");
    return;
  }
  const std::size_t before = descriptors();
  {
    const ForcedHooks forced("connect-error=fexit");
    CHECK(failure(made_up_hooks()) == "PLUMB_HOOKS: connect-error=fexit does not work here | made up");
  }
  {
    const ForcedHooks forced("packets=pages,drop=none");  // hooks of other probes
    CHECK(failure(made_up_hooks()).empty());
  }
  auto hooks = made_up_hooks();
  hooks[0].variants.pop_back();
  CHECK(failure(hooks) == "cannot trace connects that fail | fexit: made up");
  hooks[0].required = false;
  CHECK(failure(hooks).empty());
  hooks[1].variants[0].programs.emplace_back("no_such_program");
  CHECK(failure(hooks) == "cannot choose among hooks | the BPF object has no program no_such_program");
  CHECK(descriptors() == before);
}

TEST_CASE("probe: loaded, it sees; what finds no room is counted; detached, it sees no more") {
  if (!can_load()) {
    MESSAGE("SKIP: needs root");
    return;
  }
  LibbpfLog::capture(false);
  Features features;
  const std::size_t before = descriptors();
  {
    OwnConnects own(features);
    REQUIRE(own.start(page()));
    connect_in_vain(100);
    CHECK(own.probe.seen() > 50);
    CHECK(own.probe.lost() > 0);
    REQUIRE(own.probe.drain());
    CHECK(own.records > 0);
    CHECK(own.records + own.probe.lost() == own.probe.seen());
    CHECK(own.probe.executables() >= 0);

    connect_in_vain(3);  // there is room again
    const std::uint64_t lost = own.probe.lost();
    own.probe.detach();
    const std::uint64_t seen = own.probe.seen();
    connect_in_vain(3);
    CHECK(own.probe.seen() == seen);
    REQUIRE(own.probe.drain());  // what waits can still be taken
    CHECK(own.records + lost == seen);
  }
  CHECK(descriptors() == before);
}

TEST_CASE("probe: a start that fails half way, wherever that is, leaves nothing behind") {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
  MESSAGE(
      "SKIP: the sanitizer itself needs descriptors: it tells memory that can be read by writing it to a pipe");
  return;
#endif
#endif
  if (!can_load()) {
    MESSAGE("SKIP: needs root");
    return;
  }
  CHECK(in_child(start_with_few_descriptors) == "");
}
