// The options of httptrace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/option.h"
#include "http/fields.h"
#include "httptrace/event.h"
#include "run/address_options.h"

namespace plumb {

struct StatusRange {
  std::uint16_t low = 0;
  std::uint16_t high = 0;  // inclusive
};

struct HttptraceOptions {
  bool client = true;
  bool server = true;
  bool tls_only = false;
  std::int64_t min_latency_ns = 0;
  std::uint32_t snaplen = 16384;
  std::vector<PortRange> ports;
  std::vector<HostPrefix> hosts;        // --host that are addresses: of the other side
  std::vector<std::string> host_globs;  // --host that are names
  std::vector<std::string> methods;
  std::vector<std::string> path_globs;
  std::vector<StatusRange> statuses;
  http::Keep keep;

  // What the kernel side cannot decide.
  bool passes(const Request& request) const;

  bool passes_ends(const Request& request) const;
};

OptionTable httptrace_option_table(HttptraceOptions& options);

// Whether all of `text` fits `glob`: * any bytes, ? one byte.
bool glob_matches(std::string_view glob, std::string_view text);

}  // namespace plumb
