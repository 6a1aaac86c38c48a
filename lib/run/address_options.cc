#include "run/address_options.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>

#include "bpf/address_filter.h"
#include "cli/option.h"

namespace plumb {
namespace {

bool take_negation(std::string_view& item) {
  if (!item.starts_with('!')) return false;
  item.remove_prefix(1);
  return true;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, port);
  return status == std::errc{} && rest == end && port != 0;
}

Error too_many(std::string_view what, std::size_t most) {
  return Error{fmt::format("too many {}", what), fmt::format("at most {}", most),
               "a range or a prefix is one of them"};
}

filter_host kernel_host(const HostPrefix& h) {
  filter_host out{};
  std::array<std::uint8_t, 16> mask{};
  for (unsigned bit = 0; bit < h.prefix.length; ++bit) {
    mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | 0x80U >> bit % 8);
  }
  std::array<std::uint8_t, 16> address = h.prefix.address.bytes();
  for (std::size_t i = 0; i < address.size(); ++i) address[i] &= mask[i];
  std::memcpy(out.addr, address.data(), sizeof out.addr);
  std::memcpy(out.mask, mask.data(), sizeof out.mask);
  out.family = h.prefix.address.is_v4() ? AF_INET : AF_INET6;
  out.exclude = h.negated;
  return out;
}

}  // namespace

Result<void> add_ports(std::vector<PortRange>& ports, std::string_view text) {
  for (std::string_view item : split_list(text)) {
    const std::string given(item);
    PortRange range;
    range.negated = take_negation(item);
    const std::size_t dash = item.find('-');
    const bool low_ok = parse_port(item.substr(0, dash), range.low);
    range.high = range.low;
    const bool high_ok = dash == std::string_view::npos || parse_port(item.substr(dash + 1), range.high);
    if (!low_ok || !high_ok || range.high < range.low) {
      return Error{"not a port: " + given,
                   "expected 1 to 65535, a range such as 8000-8099, or !22 for all but 22"};
    }
    if (ports.size() == FILTER_MAX_PORTS) return too_many("ports", FILTER_MAX_PORTS);
    ports.push_back(range);
  }
  return {};
}

Result<void> add_hosts(std::vector<HostPrefix>& hosts, std::string_view text) {
  for (std::string_view item : split_list(text)) {
    const bool negated = take_negation(item);
    auto prefix = IpPrefix::parse(item);
    if (!prefix) return std::move(prefix).error();
    if (hosts.size() == FILTER_MAX_HOSTS) return too_many("hosts", FILTER_MAX_HOSTS);
    hosts.push_back({*prefix, negated});
  }
  return {};
}

void set_addresses(address_filter& constants, std::span<const PortRange> ports,
                   std::span<const HostPrefix> hosts) {
  constants = {};
  constants.ports = static_cast<__u32>(ports.size());
  constants.hosts = static_cast<__u32>(hosts.size());
  std::ranges::transform(ports, constants.port, [](const PortRange& p) {
    return filter_port{.low = p.low, .high = p.high, .exclude = p.negated, .padding = 0};
  });
  std::ranges::transform(hosts, constants.host, kernel_host);
  const auto includes = [](const auto& item) { return !item.negated; };
  constants.some_ports = std::ranges::any_of(ports, includes);
  constants.some_hosts = std::ranges::any_of(hosts, includes);
}

}  // namespace plumb
