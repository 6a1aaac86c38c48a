// Manual pages, written from the option, field and hook tables and from hand-written prose.
#pragma once

#include <span>
#include <string>

#include "docs/description.h"
#include "docs/prose.h"

namespace plumb {

// Tools have pages of their own, and what works on saved files; doctor stands in plumb(1).
bool has_page(const CommandDescription& command);

// plumb-TOOL(1). `shared` is what the pages of all tools say alike: environment, files, exit status.
std::string man_page(const CommandDescription& tool, const Prose& own, const Prose& shared);
// plumb(1). `commands` are the tools and doctor.
std::string main_man_page(std::span<const CommandDescription> commands, const Prose& own,
                          const Prose& shared);

}  // namespace plumb
