#include "dns/connections.h"

#include "dns/hashes.h"

namespace plumb::dns {

std::uint32_t Connections::find_or_add(const Sighting& segment) {
  const auto links = [this](std::uint32_t i) -> SlotLinks& { return streams_[i].links; };
  std::uint64_t hash = mix(segment.netns, static_cast<std::uint64_t>(segment.direction));
  hash = hash_endpoint(hash_endpoint(hash, segment.source), segment.destination);
  std::uint32_t slot = index_.find(hash, [&](std::uint32_t i) {
    const Stream& s = streams_[i];
    return s.netns == segment.netns && s.direction == segment.direction && s.source == segment.source &&
           s.destination == segment.destination;
  });
  if (slot != kNoSlot) {
    by_use_.remove(slot, links);
    by_use_.push_back(slot, links);
    return slot;
  }
  if (streams_.size() < kMaxStreams) {
    slot = static_cast<std::uint32_t>(streams_.size());
    streams_.emplace_back();
  } else {
    slot = by_use_.front();
    by_use_.remove(slot, links);
    index_.remove(streams_[slot].hash, slot);
  }
  Stream& s = streams_[slot];
  s.bytes.reset();
  s.owner = {};
  s.netns = segment.netns;
  s.direction = segment.direction;
  s.source = segment.source;
  s.destination = segment.destination;
  s.hash = hash;
  index_.add(hash, slot);
  by_use_.push_back(slot, links);
  return slot;
}

Connections::Stream& Connections::add(const Sighting& segment) {
  const std::uint32_t slot = find_or_add(segment);
  Stream& s = streams_[slot];
  if (segment.owner != nullptr && segment.owner->pid != 0) s.owner = *segment.owner;
  const std::size_t memory = s.bytes.memory();
  const std::uint64_t gaps = s.bytes.gaps();
  if (segment.syn) s.bytes.begin(segment.sequence);
  // A SYN takes a sequence number; what comes with it (Fast Open) stands behind.
  s.bytes.add(segment.syn ? segment.sequence + 1 : segment.sequence, segment.payload);
  gaps_ += s.bytes.gaps() - gaps;
  memory_ += s.bytes.memory() - memory;
  while (memory_ > kMaxMemory && by_use_.front() != slot) forget_oldest(slot);
  return s;
}

void Connections::forget_oldest(std::uint32_t but) {
  const auto links = [this](std::uint32_t i) -> SlotLinks& { return streams_[i].links; };
  const std::uint32_t slot = by_use_.front();
  Stream& s = streams_[slot];
  memory_ -= s.bytes.memory();
  s.bytes = {};
  // Behind all but the newest: it is empty, and is not to be emptied again.
  by_use_.remove(slot, links);
  by_use_.remove(but, links);
  by_use_.push_back(slot, links);
  by_use_.push_back(but, links);
}

}  // namespace plumb::dns
