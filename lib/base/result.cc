#include "base/result.h"

#include <cstring>
#include <string_view>

namespace plumb {

std::string_view errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

std::string errno_text(int error) {
  const char* text = strerrordesc_np(error);
  if (text == nullptr) return "error " + std::to_string(error);
  return std::string(errno_name(error)) + ": " + text;
}

}  // namespace plumb
