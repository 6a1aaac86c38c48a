#include "drops/cause.h"

#include <algorithm>

namespace plumb {
namespace {

// Sequence numbers wrap: compare by difference. A SYN or FIN has no payload but takes one number.
bool overlap(const Segment& a, const Segment& b) {
  return *b.sequence - *a.sequence < std::max(a.bytes, 1U) ||
         *a.sequence - *b.sequence < std::max(b.bytes, 1U);
}

}  // namespace

std::size_t CauseJoin::Hash::operator()(const FlowKey& k) const {
  std::uint64_t h = 14695981039346656037U;  // FNV-1a
  const auto mix = [&h](std::uint8_t b) { h = (h ^ b) * 1099511628211U; };
  for (const std::uint8_t b : k.src.bytes()) mix(b);
  for (const std::uint8_t b : k.dst.bytes()) mix(b);
  for (const std::uint16_t p : {k.src_port, k.dst_port}) {
    mix(static_cast<std::uint8_t>(p));
    mix(static_cast<std::uint8_t>(p >> 8));
  }
  return h;
}

void CauseJoin::dropped(const FlowKey& flow, UnixTime time, std::optional<std::uint32_t> sequence,
                        std::uint32_t bytes, std::string_view reason, std::string_view location) {
  if (flows_.size() >= kMaxFlows && !flows_.contains(flow)) flows_.clear();
  Flow& f = flows_[flow];
  f.drops[f.count % f.drops.size()] = {time,    sequence.value_or(0), bytes, sequence.has_value(), reason,
                                       location};
  ++f.count;
}

std::optional<DropCause> CauseJoin::find(const FlowKey& flow, UnixTime time, const Segment& segment,
                                         Duration window) const {
  const auto found = flows_.find(flow);
  if (found == flows_.end()) return std::nullopt;
  const Flow& f = found->second;
  std::optional<DropCause> best;
  const std::size_t kept = std::min(f.count, f.drops.size());
  for (std::size_t back = 1; back <= kept; ++back) {
    const Dropped& d = f.drops[(f.count - back) % f.drops.size()];
    const std::int64_t age = between(d.time, time).ns;
    if (age < 0 || age > window.ns) continue;
    const bool comparable = segment.sequence && d.has_sequence;
    const bool same = comparable && overlap({d.sequence, d.bytes}, segment);
    // Another segment's drop explains nothing: this one may have been lost anywhere.
    if (!same && (comparable || best)) continue;
    best = DropCause{d.reason, d.location, same, {age}};
    if (same) break;
  }
  return best;
}

Duration cause_window(std::uint32_t srtt_us, std::uint32_t rttvar_us, unsigned backoff) {
  constexpr std::int64_t kLeastRtoUs = 200'000, kFirstRtoUs = 1'000'000;  // TCP_RTO_MIN, TCP_TIMEOUT_INIT
  const std::int64_t measured = std::int64_t{srtt_us} + rttvar_us;
  const std::int64_t rto = srtt_us == 0 ? kFirstRtoUs : std::max(measured, kLeastRtoUs);
  const std::int64_t window_us = (2 * rto) << std::min(backoff, 8U);
  return {std::clamp<std::int64_t>(window_us, 2'000'000, 120'000'000) * 1000};
}

}  // namespace plumb
