// An address or prefix that is accepted must survive being written and read again.
#include <arpa/inet.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/ip.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string text_of(const plumb::IpAddress& a) {
  char text[plumb::IpAddress::kMaxText];
  const std::size_t n = a.format(text);
  require(n <= sizeof text);
  return {text, n};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto address = plumb::IpAddress::parse(text); address.ok()) {
    const auto again = plumb::IpAddress::parse(text_of(*address));
    require(again.ok() && *again == *address);
  }
  if (const auto prefix = plumb::IpPrefix::parse(text); prefix.ok()) {
    require(prefix->length <= (prefix->address.is_v4() ? 32 : 128));
    require(prefix->contains(prefix->address));
    const auto again =
        plumb::IpPrefix::parse(text_of(prefix->address) + "/" + std::to_string(prefix->length));
    require(again.ok() && again->address == prefix->address && again->length == prefix->length);
  }
  if (size == 16) {  // as it comes from the kernel
    const auto address = plumb::IpAddress::v6(data);
    const auto again = plumb::IpAddress::parse(text_of(address));
    require(again.ok() && *again == address);
    char expected[INET6_ADDRSTRLEN];
    if (address.is_v6()) require(text_of(address) == ::inet_ntop(AF_INET6, data, expected, sizeof expected));
  }
  return 0;
}
