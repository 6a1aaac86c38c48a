// Search lists: a resolver that is asked for `db` tries `db.ns.svc.cluster.local`, `db.svc.cluster.local` and so on
// until one exists (resolv.conf(5), `search` and `ndots`). On the wire these are unrelated lookups; SearchFolder tells
// which of them are one wish.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace plumb::dns {

struct ResolvConf {
  std::vector<std::string> search;  // without a dot at the end
  unsigned ndots = 1;
};

// The text of a resolv.conf. What glibc would not read is left out: of `search` and `domain` the last line counts,
// ndots is at most 15. Bounded to kMaxSearch suffixes of 253 bytes.
inline constexpr std::size_t kMaxSearch = 32;
ResolvConf parse_resolv_conf(std::string_view text);

// The names from which a resolver makes `name`, longest suffix of the list first, at the end `name` itself. Views of
// `name`. Letter case does not count.
void wanted_names(std::string_view name, const ResolvConf& conf, std::vector<std::string_view>& out);

// Follows what each process looks up. A lookup alone does not tell whether the application asked for the long name
// itself; the attempt after a miss does: the same wanted name with another suffix, or as it is, at once. So a miss waits a
// short time for its successor before it is told.
class SearchFolder {
 public:
  // A resolver goes on as soon as it has read the answer; what comes later is no successor.
  static constexpr std::int64_t kPatienceNs = 100'000'000;
  static constexpr std::size_t kMaxProcesses = 1024;
  static constexpr std::size_t kMaxMisses = 64;  // of one process that are remembered

  // A query is sent. Returns the wanted name when an attempt before it missed, otherwise empty. Valid until the next call.
  std::string_view asked(std::uint32_t pid, std::string_view name, const ResolvConf& conf, BootTime now);
  // An answer says that there is no such name or data. After kPatienceNs wanted() knows.
  void missed(std::uint32_t pid, std::string_view name, BootTime now);
  // The wanted name of a miss whose successor came, otherwise empty. Valid until the next call.
  std::string_view wanted(std::uint32_t pid, std::string_view name) const;

 private:
  struct Miss {
    std::string name;
    std::string wanted;  // empty until a successor says it
    BootTime at;
  };
  struct Process {
    std::uint32_t pid = 0;
    BootTime last;
    std::vector<Miss> misses;  // the first `used`; the rest keep their memory
    std::size_t used = 0;
  };
  const Process* find(std::uint32_t pid) const;
  Process& find_or_add(std::uint32_t pid, BootTime now);

  std::vector<Process> processes_;
  std::vector<std::string_view> candidates_;
  std::vector<std::string_view> others_;
  std::string wanted_;
};

}  // namespace plumb::dns
