// tls_records [-p PID | -- COMMAND...] : what TlsProbe tells, as JSON lines on standard output, until standard input
// ends. For tests of the probe without the tool. "ready" is the first line.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/text.h"
#include "httptrace/tls_probe.h"
#include "run/confine.h"

using namespace plumb;

namespace {

struct Nowhere final : Pipeline {
  bool push(const Row&) override { return true; }
};

std::string address(const httptrace_open& open, const __u8* bytes, std::uint16_t port) {
  if (open.family == 0) return "null";
  if (open.family == 2)
    return fmt::format("\"{}.{}.{}.{}:{}\"", bytes[0], bytes[1], bytes[2], bytes[3], port);
  return fmt::format("\"[...{}]:{}\"", bytes[15], port);
}

bool print_record(std::span<const std::byte> bytes) {
  httptrace_header h{};
  std::memcpy(&h, bytes.data(), sizeof h);
  const std::string common =
      fmt::format(R"("key":"{:x}.{}","time_ns":{},"library":{},"flags":{})", h.connection.object,
                  h.connection.since_ns, h.time_ns, h.library, h.flags);
  if (h.record == HTTPTRACE_OPEN) {
    httptrace_open r{};
    std::memcpy(&r, bytes.data(), sizeof r);
    fmt::print("{{\"record\":\"open\",{},\"pid\":{},\"comm\":\"{}\",\"local\":{},\"remote\":{}}}\n", common,
               r.task.pid, std::string_view(r.task.comm, ::strnlen(r.task.comm, 16)),
               address(r, r.local_addr, r.local_port), address(r, r.remote_addr, r.remote_port));
  } else if (h.record == HTTPTRACE_DATA) {
    httptrace_data r{};
    std::memcpy(&r, bytes.data(), sizeof r);
    std::string text;
    append_json_escaped(
        text, {reinterpret_cast<const char*>(bytes.data()) + sizeof r, std::size_t{r.head} + r.tail});
    fmt::print(
        "{{\"record\":\"data\",{},\"direction\":{},\"length\":{},\"head\":{},\"tail\":{},\"text\":\"{}\"}}\n",
        common, h.direction, r.length, r.head, r.tail, text);
  } else {
    httptrace_close r{};
    std::memcpy(&r, bytes.data(), sizeof r);
    fmt::print("{{\"record\":\"close\",{},\"end\":{}}}\n", common, r.end);
  }
  return true;
}

int fail(const Error& e) {
  fmt::print(stderr, "{}: {}\n{}\n", e.what, e.why, e.details);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  LibbpfLog::capture(false);
  CommonOptions options;
  TaskFilter filter;
  std::vector<Condition> conditions;
  Features features;
  ProcessCache processes;
  BootClock clock;
  Nowhere out;
  int go[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return 1;
  pid_t command = -1;
  if (argc > 2 && std::strcmp(argv[1], "-p") == 0)
    filter.pids = {static_cast<std::uint32_t>(std::atoi(argv[2]))};
  if (argc > 2 && std::strcmp(argv[1], "--") == 0) {
    command = ::fork();
    if (command == 0) {
      char c = 0;
      if (::read(go[0], &c, 1) != 1) ::_exit(1);
      ::dup2(2, 1);
      ::execvp(argv[2], argv + 2);
      ::_exit(127);
    }
    filter.pids = {static_cast<std::uint32_t>(command)};
    filter.follow = true;
  }
  Session session{options, filter, conditions, features, processes, clock, out};
  TlsProbe probe;
  if (auto r = probe.start(session, print_record); !r) return fail(r.error());
  give_up_capabilities();
  if (auto r = probe.attach_running(); !r) return fail(r.error());
  for (const std::string& line : probe.report()) fmt::print(stderr, "{}\n", line);
  fmt::print("{{\"record\":\"ready\"}}\n");
  std::fflush(stdout);
  if (command > 0 && ::write(go[1], "x", 1) != 1) return 1;
  bool more = true;
  while (more) {
    pollfd fds[] = {{probe.probe().poll_fd(), POLLIN, 0}, {command > 0 ? -1 : 0, POLLIN, 0}};
    ::poll(fds, 2, 50);
    more = (fds[1].revents & (POLLIN | POLLHUP)) == 0;
    if (command > 0 && ::waitpid(command, nullptr, WNOHANG) == command) more = false;
    if (auto r = probe.probe().drain(); !r) return fail(r.error());
    std::fflush(stdout);
  }
  fmt::print("{{\"record\":\"end\",\"lost\":{},\"report\":{}}}\n", probe.probe().lost(),
             probe.report().size());
  for (const std::string& line : probe.report()) fmt::print(stderr, "{}\n", line);
  return 0;
}
