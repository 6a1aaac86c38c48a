#include "cli/address_filter.h"

#include <charconv>
#include <string>

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
    ports.push_back(range);
  }
  return {};
}

Result<void> add_hosts(std::vector<HostPrefix>& hosts, std::string_view text) {
  for (std::string_view item : split_list(text)) {
    const bool negated = take_negation(item);
    auto prefix = IpPrefix::parse(item);
    if (!prefix) return std::move(prefix).error();
    hosts.push_back({*prefix, negated});
  }
  return {};
}

}  // namespace plumb
