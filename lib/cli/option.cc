#include "cli/option.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace plumb {
namespace {

struct Unit {
  std::string_view name;
  double ns;
};
constexpr Unit kUnits[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},   {"s", 1e9},
                           {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

bool names_all(std::string_view help, std::span<const std::string_view> values) {
  return std::all_of(values.begin(), values.end(), [&](std::string_view value) {
    for (std::size_t at = help.find(value); at != std::string_view::npos; at = help.find(value, at + 1)) {
      const std::size_t end = at + value.size();
      if ((at == 0 || !is_word_character(help[at - 1])) &&
          (end == help.size() || !is_word_character(help[end]))) {
        return true;
      }
    }
    return false;
  });
}

Result<std::int64_t> parse_duration_ns(std::string_view text) {
  const Error error{"not a duration: " + std::string(text),
                    "expected a number and a unit, such as 500ms, 10s or 2m"};
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc{} || !(number >= 0)) return error;
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& u : kUnits) {
    if (u.name != unit) continue;
    const double ns = std::round(number * u.ns);
    if (ns >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) return error;
    return static_cast<std::int64_t>(ns);
  }
  return error;
}

Result<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t n = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, n);
  if (status != std::errc{} || rest != end || n == 0) {
    return Error{"not a count: " + std::string(text), "expected a whole number from 1 on"};
  }
  return n;
}

std::vector<std::string_view> split_list(std::string_view text, char separator) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const std::size_t at = text.find(separator);
    const std::string_view item = text.substr(0, at);
    if (!item.empty()) items.push_back(item);
    text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  }
  return items;
}

}  // namespace plumb
