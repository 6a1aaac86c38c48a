#include "docs/prose.h"

namespace plumb {
namespace {

constexpr std::string_view kComment = ".\\\"";

}  // namespace

const ProseSection* Prose::find(std::string_view name) const {
  for (const ProseSection& s : sections) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

Result<Prose> parse_prose(std::string_view text, const std::string& name) {
  Prose prose;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.starts_with(kComment)) continue;
    if (line.starts_with(".Dd ") && prose.sections.empty()) {
      prose.date = line.substr(4);
    } else if (line.starts_with(".Sh ")) {
      const std::string heading(line.substr(4));
      if (prose.find(heading) != nullptr) return Error{name + " has two sections " + heading};
      prose.sections.push_back(
          {heading, {}, prose.sections.empty() ? "DESCRIPTION" : prose.sections.back().name});
    } else if (prose.sections.empty()) {
      return Error{name + " does not begin with .Dd and then .Sh", std::string(line)};
    } else {
      prose.sections.back().body += line;
      prose.sections.back().body += '\n';
    }
  }
  if (prose.date.empty()) return Error{name + " has no date", "it begins with .Dd MONTH DAY, YEAR"};
  return prose;
}

}  // namespace plumb
