// Requests in plain text, as TCP sockets send and receive them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bpf/address_filter.h"
#include "bpf/filter_config.h"
#include "httptrace/tls_probe.h"
#include "httptrace/wire.h"
#include "probe/probe.h"
#include "run/address_options.h"
#include "run/tool.h"

#include "httptrace.skel.h"  // after the structs of its constants

namespace plumb {

class HttpProbe {
 public:
  struct Wants {
    bool client = true;
    bool server = true;
    std::uint32_t snaplen = HTTPTRACE_SNAPLEN;
    std::vector<PortRange> ports;
    std::vector<HostPrefix> hosts;
  };
  // A record of the kernel side; false ends the drain.
  using OnRecord = std::function<bool(std::span<const std::byte>)>;

  static std::vector<Hook> hooks();

  // Every program is attached when it returns. `session` outlives the probe. `search`: the maps of the TLS programs,
  // which are told what sockets they use.
  Result<void> start(Session& session, const Wants& wants, const TlsProbe::Search& search,
                     OnRecord on_record);
  AnyProbe& probe() { return probe_; }

 private:
  bool record(std::span<const std::byte> bytes) { return on_record_(bytes); }

  Probe<httptrace_bpf> probe_;
  OnRecord on_record_;
};

}  // namespace plumb
