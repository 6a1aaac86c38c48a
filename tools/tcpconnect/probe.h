// Connections as they are decided, accepted and closed, for whoever wants to know of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bpf/address_filter.h"
#include "bpf/filter_config.h"
#include "probe/probe.h"
#include "run/address_options.h"
#include "run/tool.h"
#include "tcpconnect/event.h"

#include "tcpconnect.skel.h"  // after the structs of its constants

namespace plumb {

class ConnectProbe {
 public:
  // What is wanted of the kernel side.
  struct Wants {
    bool client = true;
    bool server = false;
    bool life = false;  // closes, with what only a connection's end tells
    bool lines = true;
    bool summary = false;
    bool failed_only = false;
    bool ipv4 = true;
    bool ipv6 = true;
    std::uint64_t min_latency_ns = 0;
    std::vector<PortRange> ports;
    std::vector<HostPrefix> hosts;
  };
  // The event is a view of the record, to be completed; false ends the drain.
  using OnEvent = std::function<bool(Connect&)>;

  static std::vector<Hook> hooks(const Wants& wants);

  // Every program is attached when it returns. `session` outlives the probe.
  Result<void> start(Session& session, const Wants& wants, OnEvent on_event);
  AnyProbe& probe() { return probe_; }
  // What the kernel added up, with Wants::summary.
  using OnTotal = std::function<void(const tcpconnect_summary_key&, const tcpconnect_summary&)>;
  void each_total(const OnTotal& on_total);

 private:
  Result<void> configure(const Wants& wants);
  bool record(std::span<const std::byte> bytes);

  Probe<tcpconnect_bpf> probe_;
  Session* session_ = nullptr;
  OnEvent on_event_;
};

}  // namespace plumb
