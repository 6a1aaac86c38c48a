// What encrypts lookups: ports, and the addresses of the public resolvers that people use.
#pragma once

#include <cstdint>

#include "base/ip.h"

namespace plumb::dns {

inline constexpr std::uint16_t kTlsPort = 853;    // RFC 7858
inline constexpr std::uint16_t kHttpsPort = 443;  // RFC 8484

// Whether a resolver that speaks DNS over HTTPS is known to be at that address, and nothing else but its own pages.
bool is_known_resolver(const IpAddress& address);

}  // namespace plumb::dns
