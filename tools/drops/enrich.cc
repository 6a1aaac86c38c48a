#include "drops/enrich.h"

#include <algorithm>

#include "drops/hints.h"

namespace plumb {
namespace {

FlowKey flow_of(const DropLine& line) {
  return {line.src, line.dst, line.src_port, line.dst_port};
}

}  // namespace

const ReasonInfo& DropTexts::reason(drops_type type, std::uint32_t reason) {
  const std::uint64_t key = std::uint64_t{type} << 32 | reason;
  if (const auto known = infos_.find(key); known != infos_.end()) return known->second;
  ReasonInfo info;
  if (type == DROPS_RESET) {
    const ReasonName name = resets_.name(reason);
    info = {name.reason, {}, reset_hint(name.reason)};
  } else {
    const ReasonName name = reasons_.name(reason);
    info = {name.reason, name.subsystem, reason_hint(name.reason)};
  }
  return infos_.emplace(key, info).first->second;
}

const LocationInfo& DropTexts::location(std::uint64_t address) {
  if (const auto known = locations_.find(address); known != locations_.end()) return known->second;
  static const LocationInfo kTooMany{"?", "?", Place::lossy};
  if (locations_.size() >= kMaxLocations) return kTooMany;  // lines point into the others
  LocationInfo info;
  // The address is where the call returns to; the call itself may be the function's last instruction.
  const auto symbol = symbols_.find(address - 1);
  append_location(info.text, address, symbol ? symbols_.find(address - 1) : std::nullopt);
  if (symbol) {
    info.text.clear();
    append_location(info.text, address, KernelSymbol{symbol->name, symbol->offset + 1});
    info.function = symbol->name;
    info.place = place_of(symbol->name);
  } else {
    info.function = info.text;
  }
  return locations_.emplace(address, std::move(info)).first->second;
}

void DropTexts::name_reason(DropLine& line) {
  if (!line.has_reason) return;
  const ReasonInfo& info = reason(line.type, line.reason_number);
  line.reason = info.reason;
  line.subsystem = info.subsystem;
  line.hint = info.hint;
}

void remember_drop(const DropLine& line, CauseJoin& causes) {
  if (line.protocol != "tcp" || !line.has_ports) return;
  causes.dropped(flow_of(line), line.origin.time, line.sequence, line.payload_bytes, line.reason,
                 line.location);
}

void find_cause(DropLine& line, const drops_event& e, const CauseJoin& causes) {
  const auto window = cause_window(e.srtt_us, e.rttvar_us,
                                   std::max<unsigned>(e.backoff, e.kind == KIND_SYN_ACK ? e.retransmits : 0));
  const auto cause = causes.find(flow_of(line), line.origin.time, {line.sequence, e.length}, window);
  if (!cause) return;
  line.cause = cause->reason.empty() ? cause->location : cause->reason;
  line.cause_location = cause->location;
  line.cause_is_segment = cause->same_segment;
  line.cause_age = cause->age;
}

}  // namespace plumb
