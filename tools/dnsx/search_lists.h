// The search lists of processes, from the resolv.conf that each of them sees.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/clock.h"
#include "dns/matcher.h"

namespace plumb {

class SearchListsOfProcesses final : public dns::SearchLists {
 public:
  explicit SearchListsOfProcesses(const BootClock& clock);

  // By mount namespace, so that a process that is gone by now finds what another one of its namespace saw. One that was
  // the only one there has none.
  const dns::ResolvConf& of(const dns::Owner& owner) override;

  static constexpr std::size_t kMaxNamespaces = 1024;
  static constexpr std::int64_t kFreshNs = 5'000'000'000;  // then the file is read again

 private:
  struct Entry {
    BootTime read;  // or tried
    bool known = false;
    dns::ResolvConf conf;
  };
  const BootClock* clock_;
  std::uint64_t own_mount_ns_ = 0;
  dns::ResolvConf none_;
  std::unordered_map<std::uint32_t, Entry> entries_;
};

}  // namespace plumb
