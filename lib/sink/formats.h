// The sinks for rows, and how to make them. One file each; they share nothing but Sink and Output.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "event/field.h"
#include "sink/output.h"
#include "sink/port_names.h"
#include "sink/sink.h"

namespace plumb {

// JSON lines as CONTRACT.md promises. `fields`: only these beside time and type; empty: all. `output` outlives the sink.
std::unique_ptr<Sink> make_json_sink(const Schema& schema, Output& output,
                                     const std::vector<std::size_t>& fields = {});

// Comma- and tab-separated values of these fields, behind a line with their keys.
std::unique_ptr<Sink> make_csv_sink(const Schema& schema, Output& output, std::vector<std::size_t> columns);
std::unique_ptr<Sink> make_tsv_sink(const Schema& schema, Output& output, std::vector<std::size_t> columns);

// Rows that read better as a sentence than in columns.
struct Sentences {
  TypeMask types = 0;                                          // of rows
  void (*append)(const Row& row, std::string& out) = nullptr;  // printable
};

struct TableStyle {
  enum class Time : std::uint8_t { local, utc, iso, relative, none };
  Time time = Time::local;
  bool color = false;
  std::vector<std::size_t> columns;  // indexes of the schema's fields, in order
  bool chosen = false;  // by the user: none is left out, and addresses stand apart from their ports
  std::size_t terminal_columns = 0;  // 0: not a terminal, lines are as long as they need
  std::size_t terminal_rows = 0;     // the header is repeated after so many lines; 0: once
  // The terminal's columns and rows now, asked with each flush; nullptr: they stay.
  std::function<std::pair<std::size_t, std::size_t>()> size;
  bool footer = false;    // on a terminal: says at the end how many fields are not shown
  bool contents = false;  // rows are few: keeps them until the end, and makes columns as wide as they need
  Sentences sentences;    // unless columns are chosen
  UnixTime started;       // zero of Time::relative
  std::shared_ptr<const PortNames> port_names = {};  // --names ports; nullptr: numbers
};

// An aligned table. `output` outlives the sink.
std::unique_ptr<Sink> make_table_sink(const Schema& schema, Output& output, TableStyle style);

// The columns for a table: --columns, --wide, or the schema's shown ones. An unknown name is an Error with
// near names.
Result<std::vector<std::size_t>> choose_columns(const Schema& schema, const std::vector<std::string>& wanted,
                                                bool wide);

// RFC 3339, UTC, nine digits of nanoseconds: appends 30 bytes such as 2026-11-21T06:49:26.000000001Z.
void append_rfc3339(std::string& out, UnixTime t);

// JSON Schema (2020-12) of the schema's lines, one `oneOf` branch a type, the `lost` line included.
std::string json_schema(const Schema& schema, const std::string& tool);

}  // namespace plumb
