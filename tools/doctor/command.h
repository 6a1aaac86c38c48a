#pragma once

#include "cli/command_table.h"

namespace plumb {

extern const CommandInfo kDoctor;

}  // namespace plumb
