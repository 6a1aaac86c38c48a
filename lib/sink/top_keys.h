// What the keys of a live table do: q quit, s next sort column, r reverse, p pause, / filter.
#pragma once

#include <string>
#include <string_view>

namespace plumb {

class TopKeys {
 public:
  // Takes what was typed. True: the picture changed.
  bool take(std::string_view typed);

  bool quit() const { return quit_; }
  bool reversed() const { return reversed_; }
  bool paused() const { return paused_; }
  // Rows without this text are not shown; empty: all are.
  const std::string& filter() const { return filter_; }
  // Whether the table is to be sorted by the next column; once for each `s`.
  bool take_sort();

  // What of this stands in the first line: "  /text_  PAUSED".
  void append_state(std::string& line) const;
  // The last line's words.
  std::string_view help() const;

 private:
  void edit_filter(char key);
  void command(char key);

  std::string filter_;
  unsigned sorts_ = 0;
  bool reversed_ = false, paused_ = false, filtering_ = false, quit_ = false;
};

}  // namespace plumb
