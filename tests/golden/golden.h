// One fixed set of events through every sink, compared byte for byte with files under expected/.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event/field.h"
#include "sink/formats.h"
#include "sink/top.h"

namespace plumb::golden {

// Whether --update was given: main.cc sets it.
extern bool updating;

// Compares `text` with expected/NAME, or writes it with --update.
void compare(std::string_view name, std::string_view text);

// Feeds a sink with the set: begin, rows and losses, end.
using Feed = std::function<void(Sink&)>;

// Every row sink and style: NAME.json, NAME.table, NAME.wide.table, NAME.narrow.table, ...,
// NAME.otlp.json and NAME.schema.json.
void compare_all(const std::string& name, const Schema& schema, UnixTime started, const Feed& feed);

// The table on terminals of 60x20, 80x24, 120x30 and 200x50, where each line is one row: NAME.SIZE.lines. `columns` names
// fields; empty: those that the schema shows.
struct Screens {
  std::vector<std::string> columns = {};
  bool contents = false;  // as --summary has it
  Sentences sentences = {};
};
void compare_screens(const std::string& name, const Schema& schema, UnixTime started, const Feed& feed,
                     const Screens& screens);

// The table of --summary by these fields, on the same terminals: NAME-summary.SIZE.lines; and how the latencies are spread
// below it: NAME-summary.histogram.
void compare_summary(const std::string& name, const Schema& schema, const std::vector<std::string>& by,
                     const Feed& feed);

// What the live table shows after the set, which takes two seconds, and after what was `typed` then. Without
// rows there is no screen, and each frame stands below the last one.
std::string top_frame(std::size_t columns, std::size_t rows, const Schema& schema, TopStyle style,
                      const Feed& feed, std::string_view typed = {});

// The same of another live table.
using MakeTop = std::function<std::unique_ptr<TopSink>(Screen&, const ClockSource&)>;
std::string top_frame(std::size_t columns, std::size_t rows, const MakeTop& make, const Feed& feed,
                      std::string_view typed = {});

// The live table after the set, on screens of several sizes, after keys, and without a screen: NAME.SIZE.top,
// NAME.keys.top, NAME.endless.top. `group` names fields; empty: those that the schema marks.
void compare_top(const std::string& name, const Schema& schema, const std::vector<std::string_view>& group,
                 const Feed& feed);

}  // namespace plumb::golden
