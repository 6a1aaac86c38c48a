// Value: what a field's getter returns. A view, never an owner: text points into the event, so that the way
// from the ring buffer to a line allocates nothing. `none` means unknown: `-` in a table, null in JSON,
// nothing in OTLP.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/ip.h"

namespace plumb {

struct None {
  friend bool operator==(None, None) = default;
};

// Text that is one of a small set of names fixed at compile time ("established", "client"): needs no
// escaping.
struct Name {
  std::string_view text;
  friend bool operator==(Name, Name) = default;
};

using TextList = std::span<const std::string_view>;

using Value = std::variant<None, bool, std::int64_t, std::uint64_t, double, std::string_view, Name, IpAddress,
                           UnixTime, Duration, TextList>;

// Helpers for getters: an unknown becomes None.
inline Value text_or_none(std::string_view s) {
  return s.empty() ? Value{None{}} : Value{s};
}
inline Value name_or_none(std::string_view s) {
  return s.empty() ? Value{None{}} : Value{Name{s}};
}
// For numbers that are never 0 when they are known: a pid, an inode number, a port.
inline Value number_or_none(std::uint64_t n) {
  return n == 0 ? Value{None{}} : Value{n};
}
inline Value address_or_none(const IpAddress& a) {
  return a.family() == IpAddress::Family::none ? Value{None{}} : Value{a};
}

}  // namespace plumb
