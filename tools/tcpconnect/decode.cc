// From the bytes of the ring buffer, and of the kernel's sums, to what the tables of fields read.
#include <algorithm>
#include <utility>

#include "probe/kernel_histogram.h"
#include "tcpconnect/event.h"

namespace plumb {

std::optional<BootTime> Connect::began() const {
  if (wire->type == TCPCONNECT_CLOSE)
    return knows(KNOWN_DURATION) ? std::optional(BootTime{wire->time_ns - wire->duration_ns}) : std::nullopt;
  return BootTime{wire->time_ns - (knows(KNOWN_LATENCY) ? wire->latency_ns : 0)};
}

std::optional<Connect> decode_connect(std::span<const std::byte> record, const BootClock& clock) {
  if (record.size() < sizeof(tcpconnect_event)) return std::nullopt;
  const auto* wire = reinterpret_cast<const tcpconnect_event*>(record.data());
  if (wire->type >= TCPCONNECT_TYPES || wire->outcome >= OUTCOMES || wire->closed_by > CLOSED_TIMEOUT) {
    return std::nullopt;
  }
  std::optional<Connect> decoded(std::in_place);  // and not copied into one
  Connect& e = *decoded;
  e.wire = wire;
  e.origin.time = clock.to_unix({wire->time_ns});
  e.origin.netns = wire->netns;
  e.local = IpAddress::of(wire->family, wire->local_addr);
  if (e.local.is_unspecified()) e.local = {};  // 0.0.0.0, ::: nothing was chosen yet
  e.remote = IpAddress::of(wire->family, wire->remote_addr);
  if (e.knows(KNOWN_OWNER)) set_process(e.origin, wire->task);
  return decoded;
}

void enrich(Connect& e, ProcessCache& processes) {
  if (e.knows(KNOWN_OWNER)) set_container(e.origin, e.wire->task, processes);
}

ConnectSummary summary_of(const tcpconnect_summary_key& key, const tcpconnect_summary& value) {
  return {&key, &value, IpAddress::of(key.family, key.remote_addr)};
}

std::uint64_t ConnectSummary::attempts() const {
  std::uint64_t sum = 0;
  for (const std::uint32_t n : value->outcomes) sum += n;
  return sum;
}

std::optional<Duration> ConnectSummary::latency(double q) const {
  const auto middle = histogram_quantile(value->latency_us, q);
  if (!middle) return std::nullopt;
  // The maximum is exact; a bucket's middle may lie beyond it.
  return std::min(*middle, Duration{static_cast<std::int64_t>(value->max_latency_ns)});
}

}  // namespace plumb
