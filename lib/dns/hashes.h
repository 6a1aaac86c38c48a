// Hashes of what lookups and connections are found by.
#pragma once

#include <cstdint>
#include <cstring>

#include "dns/lookup.h"
#include "dns/slots.h"

namespace plumb::dns {

inline std::uint64_t hash_endpoint(std::uint64_t hash, const Endpoint& end) {
  std::uint64_t words[2];
  static_assert(sizeof words == sizeof end.address.bytes());
  std::memcpy(words, end.address.bytes().data(), sizeof words);
  return mix(mix(mix(hash, words[0]), words[1]), end.port);
}

}  // namespace plumb::dns
