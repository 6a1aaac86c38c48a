// --names ports: what usually listens at a port, for people. Names come from services(5), and where that has none from a
// short list of what it lacks. A convention, not an observation: JSON and CSV keep the number.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "event/field.h"

namespace plumb {

class PortNames {
 public:
  // `services`: the text of services(5); lines that are none are passed over.
  explicit PortNames(std::string_view services);
  // Empty: none is known, or the port is one that clients get by chance.
  std::string_view find(std::uint64_t port) const;

  static constexpr std::size_t kLongest = 16;

 private:
  std::map<std::uint16_t, std::string> names_;
};

// Whether a field's values are ports.
constexpr bool is_port(const FieldSpec& f) {
  return f.key == "port" || f.key.ends_with("_port");
}

}  // namespace plumb
