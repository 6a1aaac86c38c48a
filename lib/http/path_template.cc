#include "http/path_template.h"

#include <algorithm>

namespace plumb::http {
namespace {

constexpr int kMaxSegments = 8;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// 8-4-4-4-12 (RFC 9562).
bool is_uuid(std::string_view s) {
  if (s.size() != 36) return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? s[i] != '-' : !is_hex(s[i])) return false;
  }
  return true;
}

bool is_id(std::string_view s) {
  if (s.empty()) return false;
  if (std::all_of(s.begin(), s.end(), is_digit)) return true;
  if (s.size() >= 8 && std::all_of(s.begin(), s.end(), is_hex))
    return std::any_of(s.begin(), s.end(), is_digit);
  return is_uuid(s);
}

}  // namespace

void append_path_template(std::string& out, std::string_view path) {
  for (int segment = 0; !path.empty(); ++segment) {
    if (path.front() == '/') {
      out += '/';
      path.remove_prefix(1);
    }
    if (path.empty()) return;
    if (segment == kMaxSegments) {
      out += "...";
      return;
    }
    const std::string_view part = path.substr(0, path.find('/'));
    if (is_id(part)) {
      out += "{id}";
    } else {
      out += part;
    }
    path.remove_prefix(part.size());
  }
}

}  // namespace plumb::http
