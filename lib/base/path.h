// Paths as text.
#pragma once

#include <string_view>

namespace plumb {

// What stands behind the last slash: all of it without one.
constexpr std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace plumb
