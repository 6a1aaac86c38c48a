// Joins a retransmit with the drop that explains it: a segment of the same connection, going the same way,
// that this host (in whatever namespace) threw away shortly before.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/ip.h"

namespace plumb {

struct FlowKey {
  IpAddress src, dst;
  std::uint16_t src_port = 0, dst_port = 0;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

// What was sent again; `sequence` is nothing where it is not known.
struct Segment {
  std::optional<std::uint32_t> sequence;
  std::uint32_t bytes = 0;  // of payload
};

struct DropCause {
  std::string_view reason;    // outlives the join
  std::string_view location;  // the same
  bool same_segment = false;
  Duration age;
};

class CauseJoin {
 public:
  // A dropped segment; `sequence` is nothing where its header was not there. `bytes` of payload.
  void dropped(const FlowKey& flow, UnixTime time, std::optional<std::uint32_t> sequence, std::uint32_t bytes,
               std::string_view reason, std::string_view location);
  // The newest drop of this segment, whole or in part, within `window` before `time`. Where a sequence number is missing,
  // of the segment or of the drop, the newest of this connection.
  std::optional<DropCause> find(const FlowKey& flow, UnixTime time, const Segment& segment,
                                Duration window) const;
  std::size_t flows() const { return flows_.size(); }

  static constexpr std::size_t kMaxFlows = 4096;  // when it is full, all are forgotten

 private:
  struct Dropped {
    UnixTime time;
    std::uint32_t sequence = 0;
    std::uint32_t bytes = 0;
    bool has_sequence = false;
    std::string_view reason, location;
  };
  struct Flow {
    std::array<Dropped, 16> drops;
    std::size_t count = 0;  // ever
  };
  struct Hash {
    std::size_t operator()(const FlowKey& k) const;
  };
  std::unordered_map<FlowKey, Flow, Hash> flows_;
};

// How far back a drop may lie to explain a retransmit: twice the retransmission timeout of RFC 6298, doubled
// as often as the connection had done; at least 2 s, at most 2 minutes.
Duration cause_window(std::uint32_t srtt_us, std::uint32_t rttvar_us, unsigned backoff);

}  // namespace plumb
