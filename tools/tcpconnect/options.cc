#include "tcpconnect/options.h"

#include <array>
#include <string_view>

namespace plumb {
namespace {

constexpr std::string_view kRoles[] = {"client", "server", "both"};

Result<void> set_role(TcpconnectOptions& o, std::string_view role) {
  o.role_given = true;
  o.client = role != "server";
  o.server = role != "client";
  return {};
}

constexpr auto kOptions = std::to_array<Option<TcpconnectOptions>>({
    {{.name = "role",
      .metavar = "ROLE",
      .values = kRoles,
      .completes = Completes::values,
      .group = "tcpconnect",
      .help = "client (default): connections made from here; server: connections accepted here; both.",
      .of_saved = true},
     set_role},
    {{.name = "accept", .group = "tcpconnect", .help = "The same as --role both.", .of_saved = true},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return set_role(o, "both"); }},
    {{.name = "life",
      .group = "tcpconnect",
      .help = "A line at each close too: duration, bytes both ways, retransmits, round-trip time, who closed "
              "it and how.",
      .of_saved = true},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.life = true, Result<void>{}; }},
    {{.name = "ipv4",
      .short_name = '4',
      .group = "tcpconnect",
      .help = "Only IPv4 (v4-mapped IPv6 included)."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.only_v4 = true, Result<void>{}; }},
    {{.name = "ipv6", .short_name = '6', .group = "tcpconnect", .help = "Only IPv6."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.only_v6 = true, Result<void>{}; }},
    {{.name = "port",
      .metavar = "[!]PORT[-PORT][,...]",
      .repeatable = true,
      .group = "tcpconnect",
      .help = "Only these destination ports (server: local ports); with ! all but these."},
     [](TcpconnectOptions& o, std::string_view v) -> Result<void> { return add_ports(o.ports, v); }},
    {{.name = "host",
      .metavar = "[!]ADDRESS[/BITS][,...]",
      .repeatable = true,
      .group = "tcpconnect",
      .help = "Only these remote addresses or prefixes; with ! all but these."},
     [](TcpconnectOptions& o, std::string_view v) -> Result<void> { return add_hosts(o.hosts, v); }},
    {{.name = "failed", .group = "tcpconnect", .help = "Only attempts that were not established."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.failed = true, Result<void>{}; }},
    {{.name = "no-names",
      .group = "tcpconnect",
      .help =
          "Leave remote_name out: DNS is not watched then. It is watched only where remote_name is shown or asked "
          "for: --json, --wide, --columns, --where."},
     [](TcpconnectOptions& o, std::string_view) -> Result<void> { return o.names = false, Result<void>{}; }},
    {{.name = "min-latency",
      .metavar = "TIME",
      .group = "tcpconnect",
      .help = "Only attempts that took at least this long to be decided."},
     [](TcpconnectOptions& o, std::string_view v) -> Result<void> {
       auto ns = parse_duration_ns(v);
       if (!ns) return std::move(ns).error();
       o.min_latency_ns = *ns;
       return {};
     }},
});

}  // namespace

OptionTable tcpconnect_option_table(TcpconnectOptions& options) {
  return OptionTable::of(kOptions, options);
}

}  // namespace plumb
