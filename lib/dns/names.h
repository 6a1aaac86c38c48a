// Names for the numbers of DNS: record types, classes, response codes (IANA "Domain Name System (DNS)
// Parameters").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace plumb::dns {

enum Type : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kDname = 39,
  kOpt = 41,
  kSvcb = 64,
  kHttps = 65,
  kCaa = 257,
};

inline constexpr std::uint16_t kClassIn = 1;

// Room for the longest text of a number without a name: "CLASS65535", "TYPE65535", "RCODE4095".
using NumberText = std::array<char, 16>;

// "AAAA"; "TYPE4711" for a type without a name here (RFC 3597, section 5), written to `room`.
std::string_view type_name(std::uint16_t type, NumberText& room);
// "NXDOMAIN", "BADVERS"; "RCODE99" for a number without a name. The extended code of 12 bits (RFC 6891).
std::string_view rcode_name(std::uint16_t rcode, NumberText& room);
// "IN", "CH"; "CLASS42".
std::string_view class_name(std::uint16_t value, NumberText& room);

}  // namespace plumb::dns
