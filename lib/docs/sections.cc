#include "docs/sections.h"

#include <cstdlib>

namespace plumb {

std::string_view section(std::string_view file, std::string_view name) {
  constexpr std::string_view kMark = "#@ ";
  const std::string head = std::string(kMark) + std::string(name) + '\n';
  std::size_t begin = file.starts_with(head) ? 0 : file.find('\n' + head);
  if (begin == std::string_view::npos) std::abort();  // the file is part of the program
  begin += head.size() + (begin == 0 ? 0 : 1);
  const std::string next = '\n' + std::string(kMark);
  const std::size_t end = file.find(next, begin - 1);
  return file.substr(begin, end == std::string_view::npos ? end : end + 1 - begin);
}

std::string fill(std::string_view text,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
  std::string out;
  while (!text.empty()) {
    const std::size_t at = text.find('@');
    out += text.substr(0, at);
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
    const std::size_t end = text.find('@');
    const std::string_view name = text.substr(0, end);
    const auto* value = values.begin();
    while (value != values.end() && value->first != name) ++value;
    if (end == std::string_view::npos || value == values.end()) {
      out += '@';
    } else {
      out += value->second;
      text.remove_prefix(end + 1);
    }
  }
  return out;
}

}  // namespace plumb
