// Times that are compared.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace plumb::dns {

inline BootTime after(BootTime t, std::int64_t ns) {
  return {t.ns + static_cast<std::uint64_t>(ns)};
}

inline std::int64_t since(BootTime then, BootTime now) {
  return static_cast<std::int64_t>(now.ns - then.ns);
}

}  // namespace plumb::dns
