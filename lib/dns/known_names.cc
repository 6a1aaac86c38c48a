#include "dns/known_names.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace plumb::dns {
namespace {

constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kAaaa = 28;
constexpr std::uint16_t kNoError = 0;
constexpr std::uint32_t kMaxTtl = 604'800;  // a week, as resolvers bound it (RFC 8767, section 4)

// The shortest of the whole chain: a CNAME that is out of date leads elsewhere.
std::uint32_t shortest_ttl(const Message& answer) {
  std::uint32_t shortest = kMaxTtl;
  for (const std::string_view text : answer.ttls()) {
    std::uint32_t ttl = 0;
    std::from_chars(text.data(), text.data() + text.size(), ttl);
    shortest = std::min(shortest, ttl);
  }
  return shortest;
}

BootTime later(BootTime time, std::int64_t ns) {
  return {time.ns + static_cast<std::uint64_t>(ns)};
}

}  // namespace

std::size_t KnownNames::HashKey::operator()(const Key& key) const {
  std::uint64_t words[2];
  std::memcpy(words, key.address.bytes().data(), sizeof words);
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // spreads what differs in few bits over all
  std::uint64_t hash = key.netns;
  for (const std::uint64_t word : words) hash = (hash ^ word ^ (hash >> 29U)) * kOdd;
  return static_cast<std::size_t>(hash ^ (hash >> 32U));
}

void KnownNames::learn(const Lookup& lookup) {
  if (lookup.role != Role::client || lookup.outcome != Outcome::answered || !lookup.answered) return;
  if ((lookup.type != kA && lookup.type != kAaaa) || lookup.answer.rcode() != kNoError) return;
  const std::int64_t ttl_ns = std::int64_t{shortest_ttl(lookup.answer)} * 1'000'000'000;
  const BootTime until = later(*lookup.answered, ttl_ns + kGraceNs);
  for (const std::string_view text : lookup.answer.answers()) {
    const auto address = IpAddress::parse(text);  // other records begin with the name of their type
    if (address) learn(lookup, *address, until);
  }
}

void KnownNames::learn(const Lookup& lookup, const IpAddress& address, BootTime until) {
  const Key key{lookup.netns, address};
  const auto list = first_.find(key);
  std::size_t of_address = 0;
  std::uint32_t oldest = kNone;
  for (std::uint32_t at = list == first_.end() ? kNone : list->second; at != kNone; at = known_[at].next) {
    Known& known = known_[at];
    if (known.pid == lookup.owner.pid && same_name(known.name, lookup.name)) {
      if (known.until < *lookup.answered) known.since = *lookup.answered;
      known.answered = *lookup.answered;
      known.until = until;
      return;
    }
    if (oldest == kNone || known.answered < known_[oldest].answered) oldest = at;
    ++of_address;
  }
  const std::uint32_t place = place_for(of_address, oldest);
  Known& known = known_[place];
  known.key = key;
  known.name.assign(lookup.name);
  known.pid = lookup.owner.pid;
  known.since = known.answered = *lookup.answered;
  known.until = until;
  known.used = true;
  auto [first, added] = first_.emplace(key, kNone);
  known.next = first->second;
  first->second = place;
  ++size_;
}

std::uint32_t KnownNames::place_for(std::size_t of_address, std::uint32_t oldest) {
  if (of_address >= kMaxNamesOfAddress) return forget(oldest), oldest;
  if (known_.size() < kMaxNames) return known_.emplace_back(), static_cast<std::uint32_t>(known_.size() - 1);
  const auto place = static_cast<std::uint32_t>(next_place_);
  next_place_ = (next_place_ + 1) % kMaxNames;
  if (known_[place].used) forget(place);
  return place;
}

void KnownNames::forget(std::uint32_t number) {
  Known& known = known_[number];
  const auto list = first_.find(known.key);
  std::uint32_t* link = &list->second;
  while (*link != number) link = &known_[*link].next;
  *link = known.next;
  if (list->second == kNone) first_.erase(list);
  known.used = false;
  --size_;
}

std::string_view KnownNames::only(const Visit& visit, bool own, bool just, bool& several) const {
  const auto list = first_.find(Key{visit.netns, visit.address});
  std::string_view name;
  several = false;
  for (std::uint32_t at = list == first_.end() ? kNone : list->second; at != kNone; at = known_[at].next) {
    const Known& known = known_[at];
    if (visit.began < known.since || known.until < visit.began) continue;
    if (own && known.pid != visit.pid) continue;
    if (just && later(known.answered, kJustAskedNs) < visit.began) continue;
    if (!name.empty() && !same_name(name, known.name)) return several = true, std::string_view{};
    name = known.name;
  }
  return name;
}

std::string_view KnownNames::find(const Visit& visit) const {
  for (const bool own : {true, false}) {
    if (own && visit.pid == 0) continue;
    bool several = false;
    const std::string_view name = only(visit, own, false, several);
    if (several) return only(visit, own, true, several);
    if (!name.empty()) return name;
  }
  return {};
}

}  // namespace plumb::dns
