// Which columns a table has in the room that there is, and where they stand. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "event/field.h"
#include "sink/formats.h"

namespace plumb {

struct TableColumn {
  std::size_t field = 0;
  std::size_t port = Schema::npos;  // of an address, in the same column
  std::string_view heading;
  FieldType type = FieldType::text;
  TypeMask types = 0;
  const FieldSpec* spec = nullptr;
  std::uint8_t rank = 0;
  bool if_any = false;
  bool right = false;     // numbers
  bool cuttable = false;  // text; a number that lacks digits would be another one
  std::size_t usual = 0;  // columns that it should have
  std::size_t least = 0;  // and must have
  bool visible = true;    // in this layout
  std::size_t width = 0;  // in this layout
  std::size_t start = 0;  // where it begins on the terminal
};

class TableLayout {
 public:
  TableLayout(const Schema& schema, const TableStyle& style, std::size_t time_width);

  // For lines of `room` columns; 0: as long as they need.
  void fit(std::size_t room);
  // Gives a column room that no column has, as far as there is some, for a value of this width. False: none was to be had.
  bool widen(std::size_t column, std::size_t width);
  // The columns that a value of this column may take: its width, or what is left of the line.
  std::size_t most(std::size_t column) const;
  // Makes the columns as wide as the widest of their contents, and leaves out those of `if_any` that have none.
  void take_contents(const std::vector<std::size_t>& widths, const std::vector<bool>& any);

  const std::vector<TableColumn>& columns() const { return columns_; }
  // A line must not be longer than the room: what is longer is cut.
  bool cuts() const { return cuts_; }
  std::size_t room() const { return room_; }
  // A line whose values are no wider than their columns is not longer than the room.
  bool has_room() const;
  // The list that stands below the line; npos: none.
  std::size_t below() const { return below_; }
  // Fields of the schema that no column shows.
  std::size_t left_out() const;

 private:
  void add(const Schema& schema, const TableStyle& style, std::size_t field, std::size_t time_width);
  std::size_t least_room() const;
  TableColumn* next_to_leave();
  void grow(std::size_t slack);
  void place();

  std::vector<TableColumn> columns_;
  std::size_t fields_ = 0;
  std::size_t below_ = Schema::npos;
  std::size_t room_ = 0;
  std::size_t gap_ = 1;
  std::size_t spare_ = 0;  // columns behind the last one
  std::size_t last_ = 0;   // the last visible column
  bool chosen_ = false;
  bool cuts_ = false;
};

}  // namespace plumb
