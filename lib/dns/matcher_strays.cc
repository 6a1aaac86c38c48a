// Answers that came before their queries were seen.
#include "dns/matcher.h"
#include "dns/times.h"

namespace plumb::dns {

void Matcher::keep_stray(const Place& p, std::span<const std::byte> bytes) {
  if (strays_.size() < kMaxStrays) {
    strays_.emplace_back();
    next_stray_ = strays_.size() - 1;
  } else {
    next_stray_ = (next_stray_ + 1) % kMaxStrays;
  }
  Stray& s = strays_[next_stray_];
  s.sighting = p.sighting;
  s.sighting.owner = nullptr;
  s.sighting.payload = {};
  s.sighting.length = p.length;
  s.message.assign(bytes.begin(), bytes.end());
}

// Whether the answer to a query that was just seen came before it.
void Matcher::try_strays(const Place& asked) {
  for (Stray& s : strays_) {
    if (s.message.empty() || s.sighting.netns != asked.sighting.netns || s.sighting.source != asked.server ||
        s.sighting.destination != asked.client || s.sighting.transport != asked.sighting.transport ||
        s.sighting.direction == asked.sighting.direction ||
        since(s.sighting.time, asked.sighting.time) > kSamePacketNs) {
      continue;
    }
    if (!decode(s.message)) continue;
    const bool whole = s.message.size() == s.sighting.length;
    const Place place{s.sighting,        asked.role, s.sighting.destination, s.sighting.source, nullptr,
                      s.sighting.length, whole};
    if (!response(place)) continue;
    s.message.clear();
    return;
  }
}

}  // namespace plumb::dns
