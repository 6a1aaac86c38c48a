#include "httptrace/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace plumb {
namespace {

constexpr std::string_view kRoles[] = {"client", "server", "both"};

// Calls take(item) for each of a list with commas.
template <class Take>
Result<void> for_each_item(std::string_view list, Take take) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    if (item.empty()) return Error{"an item is empty"};
    if (auto r = take(item); !r) return r;
    if (comma == std::string_view::npos) return {};
    list.remove_prefix(comma + 1);
  }
}

// "404", "5xx", "500-503". RFC 9110, section 15: 100 to 599; others do not occur, or hardly (LinkedIn's 999).
Result<void> add_status(HttptraceOptions& o, std::string_view item) {
  const auto number = [](std::string_view text) {
    std::uint16_t n = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), n);
    return status == std::errc{} && end == text.data() + text.size() && n >= 100 && n <= 599
               ? n
               : std::uint16_t{0};
  };
  StatusRange range;
  if (item.size() == 3 && item[0] >= '1' && item[0] <= '5' &&
      (item.substr(1) == "xx" || item.substr(1) == "XX")) {
    range.low = static_cast<std::uint16_t>((item[0] - '0') * 100);
    range.high = static_cast<std::uint16_t>(range.low + 99);
  } else if (const std::size_t dash = item.find('-'); dash != std::string_view::npos) {
    range = {number(item.substr(0, dash)), number(item.substr(dash + 1))};
  } else {
    range.low = range.high = number(item);
  }
  if (range.low == 0 || range.high < range.low) {
    return Error{
        fmt::format("\"{}\" is no status: a number from 100 to 599, a class such as 5xx, or a range", item),
        "", "--where 'status >= 600' finds what is none of HTTP's"};
  }
  o.statuses.push_back(range);
  return {};
}

// What no host name looks like is an address, or meant to be one: 300.1.1.1, 10.0.0.0/33, fe80:::1.
bool looks_like_address(std::string_view item) {
  if (item.starts_with('!') || item.find('/') != std::string_view::npos)
    return true;  // only addresses have these
  if (IpPrefix::parse(item).ok()) return true;
  const bool v4 = item.find('.') != std::string_view::npos &&
                  item.find_first_not_of("0123456789.") == std::string_view::npos;
  const bool v6 = std::ranges::count(item, ':') > 1 &&
                  item.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string_view::npos;
  return v4 || v6;
}

constexpr auto kOptions = std::to_array<Option<HttptraceOptions>>({
    {{.name = "role",
      .metavar = "ROLE",
      .values = kRoles,
      .completes = Completes::values,
      .group = "httptrace",
      .help = "client: requests sent from here; server: requests answered here; both (default)."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       o.client = v != "server";
       o.server = v != "client";
       return {};
     }},
    {{.name = "port",
      .metavar = "[!]PORT[-PORT][,...]",
      .repeatable = true,
      .group = "httptrace",
      .help = "Only these ports of the server; with ! all but these."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> { return add_ports(o.ports, v); }},
    {{.name = "host",
      .metavar = "NAME|[!]ADDRESS[/BITS][,...]",
      .repeatable = true,
      .group = "httptrace",
      .help =
          "Only requests to these hosts (* and ? stand for any bytes or one), or with these remote addresses or "
          "prefixes; with ! all but those."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       return for_each_item(v, [&](std::string_view item) -> Result<void> {
         if (looks_like_address(item)) return add_hosts(o.hosts, item);
         o.host_globs.emplace_back(item);
         return {};
       });
     }},
    {{.name = "method",
      .metavar = "METHOD[,...]",
      .repeatable = true,
      .group = "httptrace",
      .help = "Only these methods."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       return for_each_item(v, [&](std::string_view item) -> Result<void> {
         std::string& method = o.methods.emplace_back(item);
         std::transform(method.begin(), method.end(), method.begin(),
                        [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
         return {};
       });
     }},
    {{.name = "path",
      .metavar = "GLOB",
      .repeatable = true,
      .group = "httptrace",
      .help = "Only paths that fit: * stands for any bytes, ? for one."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       o.path_globs.emplace_back(v);
       return {};
     }},
    {{.name = "status",
      .metavar = "STATUS[,...]",
      .repeatable = true,
      .group = "httptrace",
      .help = "Only these statuses: numbers, ranges, or classes such as 5xx."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       return for_each_item(v, [&](std::string_view item) { return add_status(o, item); });
     }},
    {{.name = "min-latency",
      .metavar = "TIME",
      .group = "httptrace",
      .help = "Only requests that took at least this long."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       auto ns = parse_duration_ns(v);
       if (!ns) return std::move(ns).error();
       o.min_latency_ns = *ns;
       return {};
     }},
    {{.name = "tls-only", .group = "httptrace", .help = "Only what a TLS library encrypted."},
     [](HttptraceOptions& o, std::string_view) -> Result<void> { return o.tls_only = true, Result<void>{}; }},
    {{.name = "header",
      .metavar = "NAME[,...]",
      .repeatable = true,
      .group = "httptrace",
      .help = "Keep these headers too, in `headers`. Never Authorization, Cookie or Set-Cookie."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       return for_each_item(v, [&](std::string_view item) -> Result<void> {
         std::string name(item);
         std::transform(name.begin(), name.end(), name.begin(),
                        [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
         if (!http::may_keep_header(name)) {
           return Error{fmt::format("{} holds credentials and is never shown", item)};
         }
         o.keep.headers.push_back(std::move(name));
         return {};
       });
     }},
    {{.name = "no-query", .group = "httptrace", .help = "Keep nothing of the queries."},
     [](HttptraceOptions& o, std::string_view) -> Result<void> {
       return o.keep.query = false, Result<void>{};
     }},
    {{.name = "snaplen",
      .metavar = "BYTES",
      .group = "httptrace",
      .help = "How much of a message's headers is captured (default and most: 16384)."},
     [](HttptraceOptions& o, std::string_view v) -> Result<void> {
       std::uint32_t n = 0;
       const auto [end, status] = std::from_chars(v.data(), v.data() + v.size(), n);
       if (status != std::errc{} || end != v.data() + v.size() || n < 256 || n > HTTPTRACE_SNAPLEN) {
         return Error{"takes a number of bytes from 256 to 16384"};
       }
       o.snaplen = n;
       return {};
     }},
});

}  // namespace

OptionTable httptrace_option_table(HttptraceOptions& options) {
  return OptionTable::of(kOptions, options);
}

bool glob_matches(std::string_view glob, std::string_view text) {
  std::size_t g = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = t;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

// What the kernel side decides for sockets: a TLS library's connection learns its ends too late for it.
bool HttptraceOptions::passes_ends(const Request& r) const {
  const auto judge = [](const auto& ranges, const auto& fits) {
    bool some = false;
    bool fitted = false;
    for (const auto& range : ranges) {
      if (range.negated && fits(range)) return false;
      some = some || !range.negated;
      fitted = fitted || (!range.negated && fits(range));
    }
    return !some || fitted;
  };
  const std::uint16_t port = r.role == http::Role::server ? r.local_port : r.remote_port;
  return judge(ports, [&](const PortRange& p) { return port >= p.low && port <= p.high; }) &&
         judge(hosts, [&](const HostPrefix& h) { return h.prefix.contains(r.remote); });
}

bool HttptraceOptions::passes(const Request& r) const {
  const http::Exchange& x = *r.exchange;
  const auto fits = [](const std::vector<std::string>& globs, std::string_view text) {
    return globs.empty() || std::any_of(globs.begin(), globs.end(),
                                        [&](const std::string& glob) { return glob_matches(glob, text); });
  };
  if (r.role == http::Role::client ? !client : !server) return false;
  if (tls_only && r.tls.empty()) return false;
  if (!r.tls.empty() && !passes_ends(r)) return false;
  if (min_latency_ns > 0 && r.latency_ns() < min_latency_ns) return false;
  if (!methods.empty() && std::find(methods.begin(), methods.end(), x.method) == methods.end()) return false;
  if (!statuses.empty() && std::none_of(statuses.begin(), statuses.end(), [&](const StatusRange& s) {
        return x.status >= s.low && x.status <= s.high;
      })) {
    return false;
  }
  return fits(path_globs, x.path) && fits(host_globs, x.host);
}

}  // namespace plumb
