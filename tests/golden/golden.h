// One fixed set of events through every sink, compared byte for byte with files under expected/.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "event/field.h"
#include "sink/formats.h"

namespace plumb::golden {

// Compares `text` with expected/NAME, or writes it with --update.
void compare(std::string_view name, std::string_view text);

// Feeds a sink with the set: begin, rows and losses, end.
using Feed = std::function<void(Sink&)>;

// Every row sink and style: NAME.json, NAME.table, NAME.wide.table, NAME.narrow.table, ... and
// NAME.schema.json.
void compare_all(const std::string& name, const Schema& schema, UnixTime started, const Feed& feed);

}  // namespace plumb::golden
