#include "probe/perf_event.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

#include "probe/privileges.h"

namespace plumb {

Result<std::vector<int>> online_cpus() {
  std::ifstream file("/sys/devices/system/cpu/online");
  std::string line;
  if (!std::getline(file, line))
    return Error{"cannot tell which CPUs run", "/sys/devices/system/cpu/online is empty"};
  std::vector<int> cpus;
  std::string_view text = line;
  while (!text.empty()) {
    const std::string_view range = text.substr(0, text.find(','));
    text.remove_prefix(std::min(range.size() + 1, text.size()));
    int first = 0;
    const char* end = range.data() + range.size();
    const auto [rest, status] = std::from_chars(range.data(), end, first);
    int last = first;
    if (status != std::errc{} || (rest != end && std::from_chars(rest + 1, end, last).ec != std::errc{}))
      return Error{"cannot tell which CPUs run", "/sys/devices/system/cpu/online says: " + line};
    for (int cpu = first; cpu <= last && cpus.size() < 65'536; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

Result<UniqueFd> open_perf_event(const perf_event_attr& attr, int pid, int cpu) {
  perf_event_attr copy = attr;
  UniqueFd fd(static_cast<int>(::syscall(SYS_perf_event_open, &copy, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
  if (fd) return fd;
  const int error = errno;
  if (error == EACCES || error == EPERM) return refused("cannot open a perf event", error, own_privileges());
  return Error{"cannot open a perf event", errno_text(error)};
}

}  // namespace plumb
