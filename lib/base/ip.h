// An IP address as plumb carries it: 16 bytes; IPv4 is kept as IPv4 and a v4-mapped IPv6 address becomes
// IPv4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace plumb {

class IpAddress {
 public:
  enum class Family : std::uint8_t { none, v4, v6 };

  constexpr IpAddress() = default;
  // From network byte order. v6 that is v4-mapped (::ffff:0:0/96, RFC 4291 section 2.5.5.2) turns into v4.
  static IpAddress v4(const std::uint8_t bytes[4]);
  static IpAddress v6(const std::uint8_t bytes[16]);
  // By an address family of the kernel (AF_INET, AF_INET6); none for any other. `bytes`: as many as the family has.
  static IpAddress of(unsigned family, const std::uint8_t* bytes);
  static Result<IpAddress> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::v4; }
  bool is_v6() const { return family_ == Family::v6; }
  // 0.0.0.0 or ::, which stand for "any" or "none yet" (RFC 4291 section 2.5.2).
  bool is_unspecified() const { return family_ != Family::none && bytes_ == std::array<std::uint8_t, 16>{}; }
  // Network byte order; the first 4 bytes for v4, all 16 for v6.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

  // Longest text that format() writes, without the NUL (INET6_ADDRSTRLEN - 1).
  static constexpr std::size_t kMaxText = 45;
  // Writes RFC 5952 text to `out` (room for kMaxText) and returns its length.
  std::size_t format(char* out) const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  Family family_ = Family::none;
  std::array<std::uint8_t, 16> bytes_{};
};

// A prefix such as 10.0.0.0/8; a bare address is a prefix of full length.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;  // bits

  static Result<IpPrefix> parse(std::string_view text);
  bool contains(const IpAddress& a) const;
};

}  // namespace plumb
