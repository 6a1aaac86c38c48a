// The two ends of a connection or a packet. Keys, headings and OpenTelemetry names of an address and its port stand here
// once, for the lines of all tools; a tool adds its help, where the columns rank, and where the values are:
//
//   constexpr auto kLocalFields = end_fields<Connect>(
//       kLocalEnd, {.shown = true, .rank = 8, .help = "This side's address."},
//       [](const Connect& e) -> Value { return address_or_none(e.local); },
//       {.shown = true, .rank = 6, .help = "This side's port."},
//       [](const Connect& e) -> Value { return number_or_none(e.local_port); });
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "event/field.h"

namespace plumb {

struct EndNames {
  struct Names {
    std::string_view key;
    std::string_view heading;
    std::string_view otlp = {};
  };
  Names address;
  Names port;
};

inline constexpr EndNames kLocalEnd{{"local_addr", "LOCAL", "network.local.address"},
                                    {"local_port", "LPORT", "network.local.port"}};
inline constexpr EndNames kRemoteEnd{{"remote_addr", "REMOTE", "network.peer.address"},
                                     {"remote_port", "RPORT", "network.peer.port"}};
inline constexpr EndNames kSourceEnd{{"src", "SRC", "source.address"}, {"src_port", "SPORT", "source.port"}};
inline constexpr EndNames kDestinationEnd{{"dst", "DST", "destination.address"},
                                          {"dst_port", "DPORT", "destination.port"}};
// Of the packet in a tunnel's.
inline constexpr EndNames kInnerSourceEnd{{"inner_src", "ISRC"}, {"inner_src_port", "ISPORT"}};
inline constexpr EndNames kInnerDestinationEnd{{"inner_dst", "IDST"}, {"inner_dst_port", "IDPORT"}};

// As in FieldSpec.
struct EndWords {
  TypeMask types = kAllTypes;
  bool group = false;
  bool shown = false;
  std::uint8_t rank = 0;
  std::string_view help;
};

namespace detail {
constexpr FieldSpec end_spec(const EndNames::Names& names, const EndWords& words, FieldType type,
                             std::size_t width) {
  FieldSpec spec;
  spec.key = names.key;
  spec.heading = names.heading;
  spec.otlp = names.otlp;
  spec.type = type;
  spec.width = static_cast<std::uint8_t>(std::max(width, names.heading.size()));
  spec.types = words.types;
  spec.group = words.group;
  spec.shown = words.shown;
  spec.rank = words.rank;
  spec.help = words.help;
  return spec;
}
}  // namespace detail

// The address and the port, which a table shows as one column.
template <class Event>
consteval std::array<Field<Event>, 2> end_fields(const EndNames& names, const EndWords& address,
                                                 Getter<Event> get_address, const EndWords& port,
                                                 Getter<Event> get_port) {
  constexpr std::size_t kAddressWidth = 15;  // of IPv4
  constexpr std::size_t kPortWidth = 5;
  FieldSpec spec = detail::end_spec(names.address, address, FieldType::address, kAddressWidth);
  spec.port = names.port.key;
  return {{{spec, get_address},
           {detail::end_spec(names.port, port, FieldType::unsigned_integer, kPortWidth), get_port}}};
}

}  // namespace plumb
