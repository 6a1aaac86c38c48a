// The names of addresses for another tool, learnt from the answers that come while it runs; never a look-up of our own.
// The same programs as dnsx's, but for what tells when an answer was read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dns/known_names.h"
#include "dnsx/probe.h"
#include "run/tool.h"

namespace plumb {

class NamesProbe final : public AnyProbe {
 public:
  static std::vector<Hook> hooks(bool wanted);

  // Every program is attached when it returns. `session` outlives the probe.
  Result<void> start(Session& session);
  // `now`: when what is asked about was seen; answers that came before are taken into account. Empty: not known. Valid
  // until the next call of a function that is not const.
  std::string_view name_of(const dns::Visit& visit, BootTime now);
  // DNS packets that were lost: no event of the tool that asks, but a name that it may lack.
  std::uint64_t unseen() const { return lookups_.lost() + lookups_.missed(); }

  Result<void> drain() override;
  int poll_fd() const override { return lookups_.poll_fd(); }
  bool wake_at_next() override { return lookups_.wake_at_next(); }
  void detach() override { lookups_.detach(); }
  std::uint64_t lost() const override { return 0; }
  std::uint64_t seen() const override { return 0; }
  std::uint64_t missed() const override { return 0; }
  const bpf_object* object() const override { return lookups_.object(); }
  const std::vector<HookChoice>& choices() const override { return lookups_.choices(); }

 private:
  static DnsProbe::Wants wants();

  TaskFilter everybody_;  // whoever asks: a local resolver may do it for the process that is traced
  std::optional<Session> session_;
  DnsProbe lookups_;
  dns::KnownNames known_;
  BootTime drained_;  // all that is older is in known_
};

}  // namespace plumb
