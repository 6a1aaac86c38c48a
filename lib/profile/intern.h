// Keeping things once. IdTable finds the id of an equal thing by hash, Strings keeps strings that way. Ids
// are dense, from 0. Nothing is ever taken out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace plumb::profile {

// Mixes `value` into `hash`; good enough that the low bits may choose a slot.
constexpr std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ hash >> 29;
}

// An open-addressed table of ids with linear probing. The things themselves, and what "equal" means, are the
// caller's.
class IdTable {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // The id whose thing has `hash` and for which equal(id) holds, or kNone.
  template <class Equal>
  std::uint32_t find(std::uint64_t hash, const Equal& equal) const {
    if (slots_.empty()) return kNone;
    const auto part = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const Slot& slot = slots_[i];
      if (slot.id == kNone) return kNone;
      if (slot.hash == part && equal(slot.id)) return slot.id;
    }
  }
  // `id`'s thing is not in the table yet. rehash(id) gives a thing's hash again when the table grows.
  template <class Rehash>
  void insert(std::uint64_t hash, std::uint32_t id, const Rehash& rehash) {
    if (used_ * 4 >= slots_.size() * 3) grow(rehash);
    place(hash, id);
    ++used_;
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;  // the upper half; the lower chose the slot
    std::uint32_t id = kNone;
  };
  std::size_t mask() const { return slots_.size() - 1; }
  void place(std::uint64_t hash, std::uint32_t id) {
    std::size_t i = hash & mask();
    while (slots_[i].id != kNone) i = (i + 1) & mask();
    slots_[i] = {static_cast<std::uint32_t>(hash >> 32), id};
  }
  template <class Rehash>
  void grow(const Rehash& rehash) {
    std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.id != kNone) place(rehash(slot.id), slot.id);
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most three quarters full
  std::size_t used_ = 0;
};

using StringId = std::uint32_t;

// Strings of any bytes in blocks that never move, so that a view of one lives as long as this.
class Strings {
 public:
  explicit Strings(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // Id 0 is the empty string. Nothing more fits: IdTable::kNone.
  StringId intern(std::string_view text);
  // The same past the limit, for the few strings that a bound itself needs.
  StringId intern_always(std::string_view text);
  std::string_view view(StringId id) const { return id == 0 ? std::string_view() : views_[id - 1]; }

 private:
  static constexpr std::size_t kBlock = 64 * 1024;
  static std::uint64_t hash_of(std::string_view text);
  StringId insert(std::string_view text, std::uint64_t hash);
  std::string_view keep(std::string_view text);

  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;  // into the last block that takes short ones
  std::size_t room_ = 0;
  std::vector<std::string_view> views_;
  IdTable ids_;
};

}  // namespace plumb::profile
