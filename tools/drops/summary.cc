#include "drops/summary.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "event/value.h"
#include "probe/map_entries.h"

namespace plumb {
namespace {

std::string bytes_of(const drops_key& key) {
  return std::string(reinterpret_cast<const char*>(&key), sizeof key);
}

void set_flow(drops_key& key, const DropLine& line) {
  if (line.protocol == "arp") key.protocol = DROPS_PROTOCOL_ARP;
  if (line.src.family() == IpAddress::Family::none || line.protocol == "arp") return;
  key.family = line.src.is_v4() ? AF_INET : AF_INET6;
  key.protocol = ip_protocol_number(line.protocol == "vxlan" ? "udp" : line.protocol).value_or(0);
  keep_service_port(&key, line.src_port, line.dst_port);
  std::ranges::copy(line.src.bytes(), key.src);
  std::ranges::copy(line.dst.bytes(), key.dst);
}

constexpr std::string_view kEvents[] = {"drop", "retransmit", "reset"};
constexpr std::string_view kDirections[] = {"in", "out", "forward"};

Value direction(std::uint32_t v) {
  return v == 0 || v > std::size(kDirections) ? Value{None{}} : Value{Name{kDirections[v - 1]}};
}

constexpr std::string_view kSummaryTypes[] = {"summary"};
std::size_t summary_type(const DropSummary&) {
  return 0;
}

constexpr auto kSummaryFields = std::to_array<Field<DropSummary>>({
    {{.key = "type",
      .heading = "TYPE",
      .type = FieldType::enumeration,
      .width = 7,
      .values = kSummaryTypes,
      .help = "summary."},
     [](const DropSummary&) -> Value { return Name{kSummaryTypes[0]}; }},
    {{.key = "event",
      .heading = "EVENT",
      .type = FieldType::enumeration,
      .width = 10,
      .shown = true,
      .values = kEvents,
      .help = "drop, retransmit or reset."},
     [](const DropSummary& s) -> Value { return Name{kDropTypes[s.key->type]}; }},
    {{.key = "reason",
      .heading = "REASON",
      .type = FieldType::text,
      .width = 20,
      .shown = true,
      .help = "As in the lines; for retransmits their kind."},
     [](const DropSummary& s) -> Value { return text_or_none(s.reason); }},
    {{.key = "subsystem",
      .heading = "SUBSYS",
      .type = FieldType::text,
      .width = 11,
      .help = "The part of the kernel that the reason comes from."},
     [](const DropSummary& s) -> Value { return text_or_none(s.subsystem); }},
    {{.key = "count",
      .heading = "COUNT",
      .type = FieldType::unsigned_integer,
      .width = 9,
      .shown = true,
      .help = "How many, exactly."},
     [](const DropSummary& s) -> Value { return std::uint64_t{s.total->count}; }},
    {{.key = "total_bytes",
      .heading = "BYTES",
      .type = FieldType::bytes,
      .width = 6,
      .shown = true,
      .rank = 7,
      .help = "The sum of the packets' lengths; null for resets, which have nothing but headers."},
     [](const DropSummary& s) -> Value {
       // Of a reset that was sent the kernel side counted what provoked it.
       return s.key->type == DROPS_RESET ? Value{None{}} : Value{std::uint64_t{s.total->bytes}};
     }},
    {{.key = "location",
      .heading = "LOCATION",
      .type = FieldType::text,
      .width = 28,
      .if_any = true,
      .rank = 4,
      .help = "The kernel function with the offset in it; null when not grouped by it."},
     [](const DropSummary& s) -> Value { return text_or_none(s.location); }},
    {{.key = "dev",
      .heading = "DEV",
      .type = FieldType::text,
      .width = 8,
      .if_any = true,
      .rank = 5,
      .help = "The device; null when not known or not grouped by it."},
     [](const DropSummary& s) -> Value { return text_or_none(s.dev); }},
    {{.key = "netns",
      .heading = "NETNS",
      .type = FieldType::unsigned_integer,
      .width = 10,
      .help = "The network namespace; null when not known or not grouped by device."},
     [](const DropSummary& s) -> Value { return number_or_none(s.key->netns); }},
    {{.key = "direction",
      .heading = "DIR",
      .type = FieldType::enumeration,
      .width = 7,
      .if_any = true,
      .rank = 6,
      .values = kDirections,
      .help = "in, out or forward, as in the lines."},
     [](const DropSummary& s) -> Value { return direction(s.key->direction); }},
    {{.key = "protocol",
      .heading = "PROTO",
      .type = FieldType::text,
      .width = 6,
      .if_any = true,
      .rank = 3,
      .help = "What the IP header carries; null when not grouped by flow."},
     [](const DropSummary& s) -> Value { return text_or_none(s.protocol); }},
    {{.key = "src",
      .heading = "SRC",
      .type = FieldType::address,
      .width = 15,
      .if_any = true,
      .port = "src_port",
      .help = "Source address; null when not grouped by flow."},
     [](const DropSummary& s) -> Value { return address_or_none(s.src); }},
    {{.key = "src_port",
      .heading = "SPORT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .if_any = true,
      .help =
          "Source port, where that is the service's (the lower of the two); clients' are not told apart."},
     [](const DropSummary& s) -> Value { return number_or_none(s.key->src_port); }},
    {{.key = "dst",
      .heading = "DST",
      .type = FieldType::address,
      .width = 15,
      .if_any = true,
      .port = "dst_port",
      .help = "Destination address; null when not grouped by flow."},
     [](const DropSummary& s) -> Value { return address_or_none(s.dst); }},
    {{.key = "dst_port",
      .heading = "DPORT",
      .type = FieldType::unsigned_integer,
      .width = 5,
      .if_any = true,
      .help = "Destination port, where that is the service's (the lower of the two)."},
     [](const DropSummary& s) -> Value { return number_or_none(s.key->dst_port); }},
    {{.key = "hint",
      .heading = "HINT",
      .type = FieldType::text,
      .width = 40,
      .help = "What the reason means."},
     [](const DropSummary& s) -> Value { return text_or_none(s.hint); }},
});
static_assert(valid_fields(kSummaryFields));

}  // namespace

constexpr Schema kDropSummarySchemaValue =
    Schema::of<DropSummary, summary_type>(kSummaryFields, kSummaryTypes);
const Schema kDropSummarySchema = kDropSummarySchemaValue;

std::vector<DropTotal> read_totals(int map_fd) {
  std::vector<DropTotal> entries;
  for_each_entry<drops_key, drops_total>(map_fd, [&](const drops_key& key, const drops_total& total) {
    entries.push_back({key, total});
  });
  return entries;
}

DropLine line_of(const DropTotal& e, UnixTime time) {
  DropLine line;
  line.type = static_cast<drops_type>(e.key.type);
  line.origin.time = time;
  line.origin.netns = e.key.netns;
  line.location_address = e.key.location;
  line.reason_number = e.key.reason;
  line.has_reason = (e.key.known & KNOWN_REASON) != 0;
  line.ifindex = e.key.ifindex;
  line.direction = static_cast<drops_direction>(e.key.direction);
  line.count = e.total.count;
  line.length_bytes = e.total.bytes;
  line.dev = {e.total.dev, ::strnlen(e.total.dev, sizeof e.total.dev)};
  if (line.type == DROPS_RETRANSMIT) line.kind = static_cast<drops_kind>(e.key.reason);
  return line;
}

DropSummary describe(const DropTotal& e, DropTexts& texts) {
  DropSummary s;
  s.key = &e.key;
  s.total = &e.total;
  s.dev = {e.total.dev, ::strnlen(e.total.dev, sizeof e.total.dev)};
  if (e.key.type == DROPS_RETRANSMIT) s.reason = kind_name(static_cast<std::uint8_t>(e.key.reason));
  if ((e.key.known & KNOWN_REASON) != 0) {
    const ReasonInfo& info = texts.reason(static_cast<drops_type>(e.key.type), e.key.reason);
    s.reason = info.reason;
    s.subsystem = info.subsystem;
    s.hint = info.hint;
  }
  if (e.key.location != 0) s.location = texts.location(e.key.location).text;
  if (e.key.protocol == DROPS_PROTOCOL_ARP) {
    s.protocol = "arp";
  } else if (e.key.family != 0) {
    s.protocol = ip_protocol_name(e.key.protocol);
    s.src = IpAddress::of(e.key.family, e.key.src);
    s.dst = IpAddress::of(e.key.family, e.key.dst);
  }
  return s;
}

void DropSums::add(const DropLine& line) {
  if (line.type == DROPS_COUNTER) return;
  DropTotal entry;
  entry.key.type = static_cast<std::uint8_t>(line.type);
  entry.key.known = line.has_reason ? KNOWN_REASON : 0;
  entry.key.reason = line.type == DROPS_RETRANSMIT ? std::uint32_t{line.kind} : line.reason_number;
  entry.key.direction = line.direction;
  entry.key.location = line.location_address;
  entry.key.netns = line.origin.netns;
  entry.key.ifindex = line.ifindex;
  line.dev.copy(entry.total.dev, sizeof entry.total.dev - 1);
  if (totals_.size() < kMaxKeys) set_flow(entry.key, line);
  entry.total.count = line.count;
  entry.total.bytes = line.length_bytes.value_or(0);
  add(entry);
}

void DropSums::add(const DropTotal& entry) {
  const auto [at, fresh] = totals_.emplace(bytes_of(entry.key), entry);
  if (fresh) return;
  at->second.total.count += entry.total.count;
  at->second.total.bytes += entry.total.bytes;
}

std::vector<DropTotal> DropGrowth::since_last(std::vector<DropTotal> totals) {
  std::erase_if(totals, [this](DropTotal& e) {
    drops_total& last = last_[bytes_of(e.key)];
    const drops_total now = e.total;
    e.total.count -= last.count;
    e.total.bytes -= last.bytes;
    last = now;
    return e.total.count == 0;
  });
  return totals;
}

void DropSums::finish(const Out& out) {
  std::vector<DropTotal> totals = sorted();
  for (DropTotal& e : totals) {
    const Place place = e.key.location != 0 ? texts_->location(e.key.location).place : Place::lossy;
    if (place == Place::arriving) e.key.direction = DIRECTION_IN;
    const DropSummary s = describe(e, *texts_);
    if (!benign_.takes(s.reason, e.key.known, place, e.total.count)) out(Row(kDropSummarySchema, s));
  }
}

std::vector<DropTotal> DropSums::sorted() const {
  std::vector<DropTotal> out;
  for (const auto& [bytes, entry] : totals_) out.push_back(entry);
  std::ranges::stable_sort(out, std::ranges::greater{}, [](const DropTotal& e) { return e.total.count; });
  return out;
}

}  // namespace plumb
