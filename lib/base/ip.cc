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

char* write_v4(char* out, const std::uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) {
    if (i != 0) *out++ = '.';
    out = std::to_chars(out, out + 3, bytes[i]).ptr;
  }
  return out;
}

char* write_hex_word(char* out, unsigned word) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = word > 0xfff ? 12 : word > 0xff ? 8 : word > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
    *out++ = kDigits[word >> shift & 15];
  }
  return out;
}

// The first longest run of at least two zero words, for "::".
struct ZeroRun {
  int first = -1;
  int size = 1;
};

ZeroRun longest_zero_run(const std::array<unsigned, 8>& words) {
  ZeroRun best;
  for (int i = 0; i < 8; ++i) {
    const int first = i;
    while (i < 8 && words[static_cast<std::size_t>(i)] == 0) ++i;
    if (i - first > best.size) best = {first, i - first};
  }
  return best;
}

// The text of inet_ntop(3), byte for byte (a fuzz target compares them). That one goes through sprintf for
// each word: about 300 ns more for an address, where a whole JSON line takes 400.
char* write_v6(char* out, const std::uint8_t* bytes) {
  std::array<unsigned, 8> words;
  for (std::size_t i = 0; i < 8; ++i) words[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  const ZeroRun run = longest_zero_run(words);
  const bool compatible = run.first == 0 && run.size == 6;  // ::192.0.2.1, RFC 4291 section 2.5.5.1
  for (int i = 0; i < (compatible ? 6 : 8);) {
    if (i == run.first) {
      out = std::copy_n("::", 2, out);
      i += run.size;
    } else {
      if (i != 0 && out[-1] != ':') *out++ = ':';
      out = write_hex_word(out, words[static_cast<std::size_t>(i++)]);
    }
  }
  return compatible ? write_v4(out, bytes + 12) : out;
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

IpAddress IpAddress::of(unsigned family, const std::uint8_t* bytes) {
  return family == AF_INET ? v4(bytes) : family == AF_INET6 ? v6(bytes) : IpAddress{};
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
  switch (family_) {
    case Family::none:
      return 0;
    case Family::v4:
      return static_cast<std::size_t>(write_v4(out, bytes_.data()) - out);
    case Family::v6:
      break;
  }
  return static_cast<std::size_t>(write_v6(out, bytes_.data()) - out);
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
