// TLS connections whose requests are in no line, or not all of them, so that they do not go by unsaid:
//
// - they began before their process's library had its probes (a program that asks as soon as it starts, from a file that no
//   process ran before);
// - their process uses TLS that cannot be read at all (rustls, Java), or whose functions have no names.
//
// A process with one library that is probed is taken to use no other: which of them a socket belongs to is not known.
//
// The kernel side tells each socket on which TLS carries data (HTTPTRACE_TLS), whoever runs TLS there; what ProbedFiles
// found in the process says whether a library's probes were on by then. That is known a moment later, so that connections
// are judged when they have waited for a while. What a process that ended meanwhile would have told, its first call of a
// library tells: a request is written to the library before the socket carries it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "httptrace/wire.h"

namespace plumb {

class UnreadTls {
 public:
  struct Processes {
    // Looks at a process again; calls looked() unless it is gone.
    std::function<void(std::uint32_t pid)> look;
    // CLOCK_BOOTTIME of the first call of a library that a probe saw in it; 0: none.
    std::function<std::uint64_t(std::uint32_t pid)> first_call;
  };
  void ask(Processes processes) { processes_ = std::move(processes); }

  // What runs in a process now: since when it has probes (0: none), and why its TLS is out of reach (empty: not known).
  void looked(std::uint32_t pid, std::uint64_t since_ns, std::string_view unreadable, BootTime now);
  // From here on connections count: those that began before are older than the trace.
  void start(BootTime now) { started_ = now; }
  void connection(const httptrace_open& record);
  // Judges the connections that have waited for long enough at `now`.
  void settle(BootTime now);
  // Judges all.
  void finish() { settle({~std::uint64_t{0}}); }

  std::uint64_t early() const { return early_.connections; }
  std::uint64_t unreadable() const { return unreadable_.connections; }
  // For people, a line each; none when all was read.
  std::vector<std::string> lines() const;

 private:
  struct Pending {
    std::uint64_t time_ns = 0;
    std::uint64_t start_ns = 0;  // of the process
    std::uint32_t pid = 0;
    bool older = false;
    std::string comm;
  };
  struct Look {
    std::uint64_t since_ns = 0;
    std::uint64_t time_ns = 0;
    std::string_view unreadable;
  };
  // By name of the process and reason, as many as kMostNames; what is beyond is only counted.
  struct Count {
    std::uint64_t connections = 0;
    std::set<std::pair<std::uint32_t, std::uint64_t>> processes;  // pid and start time
    std::map<std::pair<std::string, std::string_view>, std::uint64_t> names;
    void add(const Pending& p, std::string_view why);
    std::string text() const;
  };

  const Look* look_of(const Pending& p);
  void judge(const Pending& p);

  Processes processes_;
  BootTime started_;
  std::deque<Pending> pending_;
  std::unordered_map<std::uint32_t, Look> looks_;
  Count early_;
  Count unreadable_;
};

}  // namespace plumb
