#include "base/result.h"

#include <cstring>
#include <string_view>

namespace plumb {

std::string_view errno_name(int error) {
  if (error == 0) return {};  // "0" says the C library; but that is no error
  const char* name = strerrorname_np(error);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

std::string errno_text(int error) {
  const char* text = strerrordesc_np(error);
  if (text == nullptr) return "error " + std::to_string(error);
  const std::string_view name = errno_name(error);
  return name.empty() ? text : std::string(name) + ": " + text;
}

}  // namespace plumb
