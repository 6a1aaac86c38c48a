// The lines of drops as the user side sees them: the wire struct with what the packet's headers, the kernel's
// symbols and the socket tables add. Public for tests and benches; the tool itself is in drops.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ip.h"
#include "drops/wire.h"
#include "event/field.h"
#include "packet/headers.h"
#include "run/origin.h"
#include "run/socket_owner.h"

namespace plumb {

// In the order of meaning: one exists at a time, so its size costs nothing.
struct DropLine {  // NOLINT(clang-analyzer-optin.performance.Padding)
  drops_type type = DROPS_DROP;
  Origin origin;
  drops_owner_source owner_source = OWNER_UNKNOWN;
  // what happened, in the kernel's own terms: for grouping
  std::uint64_t location_address = 0;
  std::uint32_t reason_number = 0;
  bool has_reason = false;
  std::uint32_t ifindex = 0;
  // and in names
  std::string_view reason, subsystem, hint, location;
  TextList stack;
  drops_direction direction = DIRECTION_UNKNOWN;
  drops_kind kind = KIND_UNKNOWN;
  std::uint64_t count = 1;
  // the packet
  std::string_view protocol;
  IpAddress src, dst;
  std::uint16_t src_port = 0, dst_port = 0;
  bool has_ports = false;
  std::optional<std::uint8_t> tcp_flags;
  std::optional<std::uint64_t> length_bytes;
  std::optional<IpLayer> inner;
  std::string_view dev;
  // the connection
  std::uint8_t state = 0;  // enum tcp_state; 0: not known
  std::optional<std::uint32_t> sequence;
  std::uint32_t payload_bytes = 0;  // of TCP, by the header
  std::optional<std::uint32_t> srtt_us;
  std::optional<std::uint32_t> retransmits;
  // retransmit: the drop that explains it
  std::string_view cause, cause_location;
  bool cause_is_segment = false;
  std::optional<Duration> cause_age;
  // counter
  std::string_view counter;
  std::uint64_t delta = 0;
};

// What the wire struct and the headers that it carries say. False: it is no record of ours. Views point into
// `e`.
bool decode_drop(std::span<const std::byte> record, const BootClock& clock, DropLine& out);
// Where the socket of a line's packet is, from the socket's side; nothing where the packet or the direction does not
// say.
std::optional<SocketPlace> socket_place(const DropLine& line);

// An aggregate of --summary.
struct DropSummary {
  const drops_key* key = nullptr;
  const drops_total* total = nullptr;
  std::string_view reason, subsystem, hint, location, protocol, dev;
  IpAddress src, dst;
};

extern const Schema kDropSchema;
extern const Schema kDropSummarySchema;
extern const std::span<const std::string_view> kDropTypes;

// Of a counter's line: "TcpExtListenDrops grew by 3 on eth0: what it means".
void append_counter_sentence(const Row& row, std::string& out);

std::string_view kind_name(std::uint8_t kind);  // enum drops_kind; empty: unknown

}  // namespace plumb
