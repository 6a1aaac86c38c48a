// Which name leads to an address: learnt from answers that were seen, never asked for. An address may have several names
// (virtual hosts, content networks), so the question is always who went there and when:
//
//   the names answered for that address in that network namespace, before the connection began and not out of date then,
//   of these the ones that the connecting process asked for itself, if there are any,
//   of these the one that was answered within kJustAskedNs before, if there are several.
//
// Where that leaves more than one name, or none, there is no answer: a wrong name is worse than none.
//
// Bounded: kMaxNames in all, kMaxNamesOfAddress of one address; the one learnt first goes first. In the steady state nothing
// is allocated but for names that are longer than any before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "dns/lookup.h"

namespace plumb::dns {

// A connection that a name is wanted for.
struct Visit {
  std::uint32_t netns = 0;
  IpAddress address;
  std::uint32_t pid = 0;  // 0: not known
  BootTime began;
};

class KnownNames {
 public:
  static constexpr std::size_t kMaxNames = 16384;
  static constexpr std::size_t kMaxNamesOfAddress = 16;
  // How much longer than its TTL a name is taken for: a program that has an answer may try several addresses in turn.
  static constexpr std::int64_t kGraceNs = 10'000'000'000;
  static constexpr std::int64_t kJustAskedNs = 1'000'000'000;

  // Takes the addresses of an answered lookup of A or AAAA by a client; nothing else teaches a name.
  void learn(const Lookup& lookup);
  // Empty: not known. Valid until the next learn().
  std::string_view find(const Visit& visit) const;
  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Key {
    std::uint32_t netns = 0;
    IpAddress address;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct HashKey {
    std::size_t operator()(const Key& key) const;
  };
  struct Known {
    Key key;
    std::string name;
    std::uint32_t pid = 0;  // that asked; 0: not known
    BootTime since;         // from then on it was never out of date
    BootTime answered;      // last
    BootTime until;         // TTL and grace
    std::uint32_t next = kNone;
    bool used = false;
  };

  void learn(const Lookup& lookup, const IpAddress& address, BootTime until);
  std::uint32_t place_for(std::size_t of_address, std::uint32_t oldest);
  void forget(std::uint32_t number);
  // The only name of those known; empty: none, or several. `just`: of those answered just before.
  std::string_view only(const Visit& visit, bool own, bool just, bool& several) const;

  std::unordered_map<Key, std::uint32_t, HashKey> first_;  // of a list through Known::next
  std::vector<Known> known_;
  std::size_t next_place_ = 0;
  std::size_t size_ = 0;
};

}  // namespace plumb::dns
