#include "dns/resolvers.h"

#include <algorithm>
#include <array>

namespace plumb::dns {
namespace {

using V4 = std::array<std::uint8_t, 4>;
using V6 = std::array<std::uint16_t, 8>;

// From the providers' own pages.
constexpr V4 kV4[] = {
    {8, 8, 8, 8},        {8, 8, 4, 4},  // Google
    {1, 1, 1, 1},        {1, 0, 0, 1},  // Cloudflare
    {1, 1, 1, 2},        {1, 0, 0, 2},         {1, 1, 1, 3},
    {1, 0, 0, 3},        {104, 16, 248, 249},  {104, 16, 249, 249},  // cloudflare-dns.com
    {162, 159, 61, 4},   {172, 64, 41, 4},      // mozilla.cloudflare-dns.com, chrome.cloudflare-dns.com
    {9, 9, 9, 9},        {149, 112, 112, 112},  // Quad9
    {9, 9, 9, 10},       {149, 112, 112, 10},  {9, 9, 9, 11},
    {149, 112, 112, 11}, {208, 67, 222, 222},  {208, 67, 220, 220},  // OpenDNS
    {146, 112, 41, 2},                                               // doh.opendns.com
    {94, 140, 14, 14},   {94, 140, 15, 15},                          // AdGuard
    {185, 228, 168, 9},  {185, 228, 169, 9},                         // CleanBrowsing
    {194, 242, 2, 2},                                                // Mullvad
    {45, 90, 28, 0},     {45, 90, 30, 0},                            // NextDNS
};
constexpr V6 kV6[] = {
    {0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888}, {0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8844},
    {0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111}, {0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1001},
    {0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe},          {0x2620, 0xfe, 0, 0, 0, 0, 0, 9},
    {0x2620, 0x119, 0x35, 0, 0, 0, 0, 0x35},      {0x2620, 0x119, 0x53, 0, 0, 0, 0, 0x53},
    {0x2a10, 0x50c0, 0, 0, 0, 0, 0xad1, 0xff},    {0x2a10, 0x50c0, 0, 0, 0, 0, 0xad2, 0xff},
};

}  // namespace

bool is_known_resolver(const IpAddress& address) {
  const auto& bytes = address.bytes();
  if (address.is_v4()) {
    return std::ranges::any_of(kV4,
                               [&](const V4& a) { return std::equal(a.begin(), a.end(), bytes.begin()); });
  }
  return address.is_v6() && std::ranges::any_of(kV6, [&](const V6& a) {
           for (std::size_t i = 0; i < a.size(); ++i) {
             if (bytes[2 * i] != a[i] >> 8U || bytes[2 * i + 1] != (a[i] & 0xffU)) return false;
           }
           return true;
         });
}

}  // namespace plumb::dns
