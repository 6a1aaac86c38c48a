#include "dnsx/names_probe.h"

namespace plumb {

DnsProbe::Wants NamesProbe::wants() {
  DnsProbe::Wants wants;
  wants.pickup = false;
  wants.search_lists = false;
  wants.executables = false;
  wants.max_lookups = 4096;
  wants.ring_bytes = 1 << 19;  // beside the tool's own; 1,000 packets, and a drain when a quarter is full
  return wants;
}

std::vector<Hook> NamesProbe::hooks(bool wanted) {
  std::vector<Hook> hooks;
  for (Hook& hook : DnsProbe::hooks(wants())) {
    if (!hook.wanted) continue;
    hook.required = false;
    hook.wanted = wanted;
    hooks.push_back(std::move(hook));
  }
  return hooks;
}

Result<void> NamesProbe::start(Session& session) {
  everybody_.netns = session.filter.netns;
  session_.emplace(Session{session.options, everybody_, session.conditions, session.features,
                           session.processes, session.clock, session.out});
  return lookups_.start(*session_, wants(), [this](const dns::Lookup& lookup) {
    known_.learn(lookup);
    return true;
  });
}

Result<void> NamesProbe::drain() {
  drained_ = session_->clock.now();
  return lookups_.drain();
}

std::string_view NamesProbe::name_of(const dns::Visit& visit, BootTime now) {
  // The answer was there before the connection, so it waits in the buffer. What fails here fails in the run's next turn.
  if (drained_ < now) (void)drain();
  return known_.find(visit);
}

}  // namespace plumb
