#include "proc/process_ids.h"

#include <charconv>
#include <string>
#include <system_error>

namespace plumb {

std::vector<std::uint32_t> process_ids(const ProcFs& procfs) {
  std::vector<std::uint32_t> out;
  const auto entries = procfs.list("/proc");
  if (!entries) return out;
  for (const std::string& name : *entries) {
    std::uint32_t pid = 0;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, pid);
    if (error == std::errc{} && rest == end) out.push_back(pid);
  }
  return out;
}

}  // namespace plumb
