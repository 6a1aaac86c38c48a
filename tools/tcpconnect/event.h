// The event of tcpconnect as the user side sees it: the wire struct with what enrichment adds. Public for
// tests and benches; the tool itself is in tool.cc.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/ip.h"
#include "event/field.h"
#include "run/origin.h"
#include "tcpconnect/wire.h"

namespace plumb {

struct Connect {
  const tcpconnect_event* wire = nullptr;
  Origin origin;
  IpAddress local;
  IpAddress remote;
  std::string_view remote_name;  // empty: not known

  // When the other side was chosen, as near as is known; nothing for what is older than the trace.
  std::optional<BootTime> began() const;
  bool knows(tcpconnect_known what) const { return (wire->known & what) != 0; }
};

// A record of the ring buffer; nothing when it is too short or out of range.
std::optional<Connect> decode_connect(std::span<const std::byte> record, const BootClock& clock);
// Adds container, pod and namespace.
void enrich(Connect& event, ProcessCache& processes);

// An aggregate of --summary.
struct ConnectSummary {
  const tcpconnect_summary_key* key = nullptr;
  const tcpconnect_summary* value = nullptr;
  IpAddress remote;
  bool knows_closes = true;  // else the saved lines had no closes, of which the byte counts are

  std::uint64_t attempts() const;
  // Latency in nanoseconds at quantile q, within 6.25 %; nothing when no attempt was established.
  std::optional<Duration> latency(double q) const;
};

// Key and value are views: they outlive the result.
ConnectSummary summary_of(const tcpconnect_summary_key& key, const tcpconnect_summary& value);

extern const Schema kConnectSchema;
extern const Schema kConnectSummarySchema;

}  // namespace plumb
