// Two small structures over numbered slots, which are used again and again, so that nothing is allocated once the
// numbers are in use: an index from hashes to slots, and lists in the order of time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace plumb::dns {

inline constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

// A multimap from a hash to slots, chained. Slots with equal hashes are told apart by the caller.
class SlotIndex {
 public:
  // Room for about this many entries without long chains; more are taken as well.
  explicit SlotIndex(std::size_t entries) {
    std::size_t size = 16;
    while (size < entries) size *= 2;
    buckets_.assign(size, kNoSlot);
  }

  void add(std::uint64_t hash, std::uint32_t slot) {
    std::uint32_t node = free_;
    if (node == kNoSlot) {
      node = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
    } else {
      free_ = nodes_[node].next;
    }
    std::uint32_t& head = bucket(hash);
    nodes_[node] = {hash, slot, head};
    head = node;
  }

  void remove(std::uint64_t hash, std::uint32_t slot) {
    for (std::uint32_t* at = &bucket(hash); *at != kNoSlot; at = &nodes_[*at].next) {
      const std::uint32_t node = *at;
      if (nodes_[node].slot != slot || nodes_[node].hash != hash) continue;
      *at = nodes_[node].next;
      nodes_[node].next = free_;
      free_ = node;
      return;
    }
  }

  // The slot added last of those with this hash for which `match(slot)` holds; kNoSlot: none.
  template <class Match>
  std::uint32_t find(std::uint64_t hash, Match match) const {
    for (std::uint32_t at = buckets_[hash & (buckets_.size() - 1)]; at != kNoSlot; at = nodes_[at].next) {
      if (nodes_[at].hash == hash && match(nodes_[at].slot)) return nodes_[at].slot;
    }
    return kNoSlot;
  }

 private:
  struct Node {
    std::uint64_t hash = 0;
    std::uint32_t slot = kNoSlot;
    std::uint32_t next = kNoSlot;
  };
  std::uint32_t& bucket(std::uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }

  std::vector<std::uint32_t> buckets_;
  std::vector<Node> nodes_;
  std::uint32_t free_ = kNoSlot;
};

struct SlotLinks {
  std::uint32_t before = kNoSlot;
  std::uint32_t after = kNoSlot;
};

// A list of slots, oldest first. `links(slot)` gives a slot's links; a slot is in one list at a time.
class SlotList {
 public:
  std::uint32_t front() const { return first_; }

  template <class Links>
  void push_back(std::uint32_t slot, Links links) {
    links(slot) = {last_, kNoSlot};
    (last_ == kNoSlot ? first_ : links(last_).after) = slot;
    last_ = slot;
  }
  template <class Links>
  void remove(std::uint32_t slot, Links links) {
    const SlotLinks l = links(slot);
    (l.before == kNoSlot ? first_ : links(l.before).after) = l.after;
    (l.after == kNoSlot ? last_ : links(l.after).before) = l.before;
  }

 private:
  std::uint32_t first_ = kNoSlot;
  std::uint32_t last_ = kNoSlot;
};

// Mixes a number into a hash; every bit of both counts (the finalizer of MurmurHash3's 64 bits).
inline std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0xff51afd7ed558ccd;
  hash = (hash ^ hash >> 33U) * 0xc4ceb9fe1a85ec53;
  return hash ^ hash >> 33U;
}

}  // namespace plumb::dns
