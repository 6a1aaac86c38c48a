#include "dnsx/options.h"

#include <array>
#include <string>
#include <string_view>

#include "dnsx/wire.h"

namespace plumb {
namespace {

constexpr std::string_view kRoles[] = {"client", "server", "both"};

Result<void> add_dns_ports(DnsxOptions& o, std::string_view text) {
  for (const std::string_view item : split_list(text)) {
    auto port = parse_count(item);
    if (!port || *port > 65535) return Error{"not a port: " + std::string(item), "expected 1 to 65535"};
    if (o.ports.size() == DNSX_MAX_PORTS)
      return Error{"too many ports", "at most " + std::to_string(DNSX_MAX_PORTS)};
    o.ports.push_back(static_cast<std::uint16_t>(*port));
  }
  return {};
}

constexpr auto kOptions = std::to_array<Option<DnsxOptions>>({
    {{.name = "role",
      .metavar = "ROLE",
      .values = kRoles,
      .completes = Completes::values,
      .group = "dnsx",
      .help = "client (default): lookups made from here; server: queries answered here; both."},
     [](DnsxOptions& o, std::string_view role) -> Result<void> {
       o.client = role != "server";
       o.server = role != "client";
       return {};
     }},
    {{.name = "port",
      .metavar = "PORT[,...]",
      .repeatable = true,
      .group = "dnsx",
      .help = "Ports that servers answer at, instead of 53; at most 8."},
     add_dns_ports},
    {{.name = "libc",
      .group = "dnsx",
      .help =
          "Also what applications ask their C library for (getaddrinfo, gethostbyname): a line for each call, cached "
          "or not, and for each lookup whose call led to it."},
     [](DnsxOptions& o, std::string_view) -> Result<void> {
       o.libc = true;
       return {};
     }},
    {{.name = "timeout",
      .metavar = "TIME",
      .group = "dnsx",
      .help = "How long after its last query a lookup without an answer ends as a timeout; 5s without it."},
     [](DnsxOptions& o, std::string_view v) -> Result<void> {
       auto ns = parse_duration_ns(v);
       if (!ns) return std::move(ns).error();
       if (*ns < 1'000'000 || *ns > 600'000'000'000) return Error{"not a timeout of 1ms to 10m"};
       o.timeout_ns = *ns;
       return {};
     }},
});

}  // namespace

OptionTable dnsx_option_table(DnsxOptions& options) {
  return OptionTable::of(kOptions, options);
}

}  // namespace plumb
