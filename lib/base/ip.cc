#include "base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace plumb {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Error not_an_address(std::string_view text, const char* what) {
  return Error{"not " + std::string(what) + ": " + std::string(text),
               "expected IPv4 or IPv6, such as 10.0.0.1 or fd00::1"};
}

}  // namespace

IpAddress IpAddress::v4(const std::uint8_t bytes[4]) {
  IpAddress a;
  a.family_ = Family::v4;
  std::copy_n(bytes, 4, a.bytes_.begin());
  return a;
}

IpAddress IpAddress::v6(const std::uint8_t bytes[16]) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes)) return v4(bytes + 12);
  IpAddress a;
  a.family_ = Family::v6;
  std::copy_n(bytes, 16, a.bytes_.begin());
  return a;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  char copy[kMaxText + 1];
  std::uint8_t bytes[16];
  if (text.size() >= sizeof copy) return not_an_address(text, "an address");
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  if (std::strlen(copy) == text.size()) {
    if (::inet_pton(AF_INET, copy, bytes) == 1) return v4(bytes);
    if (::inet_pton(AF_INET6, copy, bytes) == 1) return v6(bytes);
  }
  return not_an_address(text, "an address");
}

std::size_t IpAddress::format(char* out) const {
  if (family_ == Family::none) return 0;
  if (family_ == Family::v4) {
    char* p = out;
    for (int i = 0; i < 4; ++i) {
      if (i != 0) *p++ = '.';
      p = std::to_chars(p, p + 3, bytes_[static_cast<std::size_t>(i)]).ptr;
    }
    return static_cast<std::size_t>(p - out);
  }
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  const std::size_t n = std::strlen(text);
  std::memcpy(out, text, n);
  return n;
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return not_an_address(text, "an address or prefix");
  // The written form decides what the length counts: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const bool mapped = address->is_v4() && text.find(':') != std::string_view::npos;
  const unsigned offset = mapped ? 96 : 0;
  const unsigned most = address->is_v4() ? 32 : 128;
  unsigned length = most + offset;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > most + offset ||
        length < offset) {
      return Error{"not a prefix length: " + std::string(text),
                   "expected " + std::to_string(offset) + " to " + std::to_string(most + offset)};
    }
  }
  return IpPrefix{*address, static_cast<std::uint8_t>(length - offset)};
}

bool IpPrefix::contains(const IpAddress& a) const {
  if (a.family() != address.family() || a.family() == IpAddress::Family::none) return false;
  const std::size_t whole = length / 8;
  if (!std::equal(a.bytes().begin(), a.bytes().begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes().begin())) {
    return false;
  }
  const unsigned rest = length % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (a.bytes()[whole] & mask) == (address.bytes()[whole] & mask);
}

}  // namespace plumb
