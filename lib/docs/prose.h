// The hand-written part of a manual page: man/NAME.prose.mdoc, an mdoc(7) file that begins with its date
// (.Dd) and is cut at its section headings (.Sh). The generator puts each section where it belongs in the
// page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace plumb {

struct ProseSection {
  std::string name;   // "CAVEATS"
  std::string body;   // lines of mdoc, each ended by a newline
  std::string after;  // a name that no manual page has by custom comes behind this one
};

struct Prose {
  std::string date;  // "July 1, 2026": fixed, so that a page can be generated again byte for byte
  std::vector<ProseSection> sections;

  // nullptr: there is none.
  const ProseSection* find(std::string_view name) const;
};

// `name` is the file's, for errors.
Result<Prose> parse_prose(std::string_view text, const std::string& name);

}  // namespace plumb
