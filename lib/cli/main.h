// plumb's command line: which tool, its options, its run.
#pragma once

#include <span>
#include <string>

#include "cli/tool.h"

namespace plumb {

// `arguments` with the program's name at the front, as called: a link named after a tool is that tool.
int plumb_main(std::span<const std::string> arguments);

}  // namespace plumb
