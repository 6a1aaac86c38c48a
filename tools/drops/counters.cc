#include "drops/counters.h"

#include <algorithm>

#include "base/say.h"
#include "drops/hints.h"

namespace plumb {
namespace {

constexpr std::uint64_t kPollNs = 1'000'000'000;
constexpr std::uint64_t kLongestPollNs = 4'000'000'000;
constexpr std::uint64_t kPollShare = 50;  // at most one part in so many of the time
constexpr std::size_t kMaxNamespaces =
    4096;  // remembered; a host that makes more in one trace forgets the ended ones

}  // namespace

LossCounters::LossCounters(std::uint32_t netns) : only_(netns) {
  auto namespaces = net_namespaces();
  older_ = mounted_namespaces();
  for (const auto& [inode, pid] : namespaces) older_.push_back(inode);
  if (only_ != 0) std::erase_if(namespaces, [this](const auto& n) { return n.first != only_; });
  qdiscs_ = QdiscCounters::open(namespaces);
  if (qdiscs_.namespaces() == QdiscCounters::kMost && namespaces.size() > QdiscCounters::kMost) {
    say("plumb: losses in queueing disciplines are told of {} of {} network namespaces", QdiscCounters::kMost,
        namespaces.size());
  }
  read();
  told_ = newest_;
}

bool LossCounters::take(std::uint32_t netns, Counters counters) {
  std::erase_if(counters, [](const auto& c) { return counter_hint(c.first.name).empty(); });
  Counters& known = newest_[netns];
  const bool grown = counters != known;
  known = std::move(counters);
  return grown;
}

bool LossCounters::read() {
  if (newest_.size() > kMaxNamespaces) newest_.clear();
  bool grown = only_ == 0 && take(0, read_host_counters());
  for (const auto& [netns, pid] : net_namespaces()) {
    if (only_ != 0 && netns != only_) continue;
    Counters counters = read_counters(pid);
    if (counters.empty()) continue;
    qdiscs_.read(netns, counters);
    grown = take(netns, std::move(counters)) || grown;
  }
  return grown;
}

void LossCounters::poll(BootTime now, std::uint64_t seen) {
  if (now.ns < next_poll_ns_) return;
  const BootTime before = system_clock_source().boot();
  const bool lost = read() || seen != seen_;
  const std::uint64_t took = system_clock_source().boot().ns - before.ns;
  pause_ns_ = lost ? kPollNs : std::clamp(pause_ns_ * 2, kPollNs, kLongestPollNs);
  next_poll_ns_ = now.ns + std::max(pause_ns_, took * kPollShare);
  seen_ = seen;
}

void LossCounters::tell(const std::function<void(const CounterGrowth&)>& sink) {
  read();
  for (const auto& [netns, counters] : newest_) {
    const auto known = told_.find(netns);
    // Older than the trace, but without a process until now: what it counted before is not ours.
    const bool skip = known == told_.end() && std::ranges::find(older_, netns) != older_.end();
    for (const auto& [key, value] : counters) {
      std::uint64_t base = 0;
      if (known != told_.end()) {
        const auto earlier = known->second.find(key);
        // A device that is new or was made anew counts from 0.
        if (earlier != known->second.end() && earlier->second <= value) base = earlier->second;
      }
      if (!skip && value > base) sink({netns, key.name, key.dev, counter_hint(key.name), value - base});
    }
  }
  told_ = newest_;
}

}  // namespace plumb
