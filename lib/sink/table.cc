// An aligned table, one line an event.
//
//   TIME             PID COMM             OUTCOME      REMOTE                 LATENCY
//   09:41:07.123   81234 curl             established  192.0.2.7:443           1.20ms
//   09:41:07.391   81240 postgres         refused      [fd00::17]:5432              -
//
// In a file nothing is ever cut: a value longer than its column pushes what follows to the right, in its own line only;
// columns after it give up their padding until the line is back in step. On a terminal a line is one row: a long text
// gets the room that is left there, from that line on, and where there is none it ends in an ellipsis.

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "event/trouble.h"
#include "sink/cell.h"
#include "sink/formats.h"
#include "sink/table_layout.h"

namespace plumb {
namespace {

constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kYellow = "\033[33m";
constexpr std::string_view kDim = "\033[2m";
constexpr std::string_view kPlain = "\033[0m";
constexpr std::size_t kLeastCell = 4;  // what a text keeps where room is short

struct Cell {
  std::string text;
  std::size_t width = 0;  // on the terminal
  bool alert = false;
};

bool is_something(const Value& value) {
  if (std::holds_alternative<None>(value)) return false;
  const auto* n = std::get_if<std::uint64_t>(&value);
  return n == nullptr || *n != 0;
}

class TableSink final : public Sink {
 public:
  TableSink(const Schema& schema, Output& output, TableStyle style)
      : schema_(schema),
        output_(output),
        style_(std::move(style)),
        cells_(style_.time, style_.started),
        layout_(schema_, style_, cells_.time_width()),
        line_(layout_.columns().size()),
        any_(line_.size(), false),
        widest_(line_.size(), 0) {
    cells_.name_ports(style_.port_names.get());
  }

  Result<void> begin() override {
    if (!style_.contents) header();
    return output_.write_out();
  }

  Result<void> row(const Row& row) override {
    ++rows_;
    if (style_.contents) return keep(row), Result<void>{};
    if (style_.terminal_rows != 0 && lines_ >= style_.terminal_rows) header();
    if (!sentence(row)) {
      fill(row);
      write_line();
    }
    if (layout_.below() != Schema::npos) list_below(row);
    return output_.maybe_write();
  }

  Result<void> lost(const Loss& loss) override {
    std::string text = "-- ";
    cells_.append(text, FieldType::unsigned_integer, loss.count);
    text += loss.count == 1 ? " event lost" : " events lost";
    if (!loss.why.empty()) text.append(": ").append(loss.why);
    text += " --";
    note(std::move(text), kYellow);
    return output_.maybe_write();
  }

  Result<void> flush() override {
    if (style_.size && !style_.contents) refit();
    return output_.write_out();
  }

  Result<void> end() override {
    if (style_.contents) write_kept();
    if (const std::size_t more = layout_.left_out(); style_.footer && rows_ != 0 && more != 0)
      note("--wide for " + std::to_string(more) + " more", kDim);
    if (below_) output_.buffer() += below_(style_.terminal_columns);
    return flush();
  }

  void below(Below text) override { below_ = std::move(text); }

 private:
  // The cells of a row.
  void fill(const Row& row) {
    const std::size_t type = row.type();
    const auto& columns = layout_.columns();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const TableColumn& c = columns[i];
      Cell& cell = line_[i];
      if (!c.visible) continue;
      cell.text.clear();
      const bool carried = (c.types >> type & 1U) != 0;
      const Value value = carried ? row.get(c.field) : Value{None{}};
      cell.width = c.port == Schema::npos
                       ? cells_.append_of(cell.text, *c.spec, value)
                       : cells_.append_endpoint(cell.text, value, carried ? row.get(c.port) : Value{None{}});
      cell.alert = style_.color && means_trouble(*c.spec, value);
      if (style_.contents) any_[i] = any_[i] || is_something(value);
    }
  }

  void write_line() {
    if (layout_.cuts() && !fits()) {
      cut();
      squeeze();
    }
    position_ = 0;
    const auto& columns = layout_.columns();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].visible)
        put(columns[i], line_[i].text, line_[i].width, line_[i].alert ? kRed : std::string_view{});
    }
    end_line();
  }

  // As most lines do: then nothing is cut and nothing moves.
  bool fits() const {
    if (!layout_.has_room()) return false;
    const auto& columns = layout_.columns();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].visible && line_[i].width > columns[i].width) return false;
    }
    return true;
  }

  static std::size_t place(const TableColumn& c, std::size_t width, std::size_t position) {
    std::size_t at = c.start;
    if (c.right && width < c.width) at += c.width - width;
    return position == 0 ? at : std::max(at, position + 1);
  }

  std::size_t line_end() const {
    std::size_t position = 0;
    const auto& columns = layout_.columns();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].visible) position = place(columns[i], line_[i].width, position) + line_[i].width;
    }
    return position;
  }

  // Texts that are longer than their columns get room that is left, and a header says so; or end in an ellipsis.
  void cut() {
    const auto& columns = layout_.columns();
    const auto too_long = [&](std::size_t i) {
      return columns[i].visible && columns[i].cuttable && line_[i].width > layout_.most(i);
    };
    bool widened = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (too_long(i)) widened = layout_.widen(i, line_[i].width) || widened;
    }
    if (widened && !style_.contents) header();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (too_long(i)) shorten_cell(i, layout_.most(i));
    }
  }

  void shorten_cell(std::size_t i, std::size_t width) {
    Cell& cell = line_[i];
    if (!layout_.columns()[i].cuttable) {
      cell.text = "\u2026";  // less is another number
    } else if (layout_.columns()[i].port != Schema::npos) {
      shorten_endpoint(cell.text, width);
    } else {
      shorten(cell.text, width);
    }
    cell.width = std::min(width, display_width(cell.text));
  }

  // A number may be longer than its column: then texts make room for it.
  void squeeze() {
    for (std::size_t end = line_end(); end > layout_.room(); end = line_end()) {
      const auto [i, least] = longest();
      if (i == Schema::npos) return;  // a terminal of a few columns
      const std::size_t width = line_[i].width;
      shorten_cell(i, width - std::min(end - layout_.room(), width - least));
    }
  }

  // The cell that is to be cut next, and the width that it keeps.
  std::pair<std::size_t, std::size_t> longest() const {
    const auto& columns = layout_.columns();
    std::size_t best = Schema::npos, least = 0, most = 0;
    const auto look = [&](bool wanted, auto keeps) {
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if (!columns[i].visible || columns[i].cuttable != wanted) continue;
        const std::size_t keep = keeps(columns[i]);
        if (line_[i].width <= keep || line_[i].width - keep <= most) continue;
        best = i, least = keep, most = line_[i].width - keep;
      }
    };
    look(true, [](const TableColumn& c) { return c.width; });
    if (best == Schema::npos) look(true, [](const TableColumn&) { return kLeastCell; });
    if (best == Schema::npos) look(false, [](const TableColumn&) { return std::size_t{1}; });
    return {best, least};
  }

  // Where the row is one: its time and type in their columns, the sentence behind them.
  bool sentence(const Row& row) {
    if (style_.chosen || (style_.sentences.types >> row.type() & 1U) == 0) return false;
    text_.clear();
    style_.sentences.append(row, text_);
    const auto& columns = layout_.columns();
    position_ = 0;
    for (const TableColumn& c : columns) {
      if (!c.visible || (c.type != FieldType::time && schema_.spec(c.field).key != "type")) continue;
      std::string cell;
      const std::size_t width = cells_.append(cell, c.type, row.get(c.field));
      put(c, cell, width, {});
    }
    const auto after = [&](const TableColumn& c) { return c.visible && c.start > position_; };
    const auto next = std::ranges::find_if(columns, after);
    const std::size_t at = position_ == 0 ? 0 : next != columns.end() ? next->start : position_ + 1;
    if (layout_.cuts()) shorten(text_, layout_.room() - std::min(layout_.room(), at));
    output_.buffer().append(at - position_, ' ').append(text_);
    position_ = at + display_width(text_);
    end_line();
    return true;
  }

  void list_below(const Row& row) {
    if ((schema_.spec(layout_.below()).types >> row.type() & 1U) == 0) return;
    const Value value = row.get(layout_.below());
    const auto* list = std::get_if<TextList>(&value);
    if (list == nullptr) return;
    for (std::size_t i = list->size(); i-- > 0;) {
      text_.assign("    ");
      append_printable(text_, (*list)[i]);
      if (layout_.cuts()) shorten(text_, layout_.room());
      output_.buffer().append(text_);
      position_ = display_width(text_);
      end_line();
    }
  }

  // A line that is no row.
  void note(std::string text, std::string_view color) {
    if (layout_.cuts()) shorten(text, layout_.room());
    std::string& out = output_.buffer();
    if (style_.color) out += color;
    out += text;
    if (style_.color) out += kPlain;
    position_ = display_width(text);
    end_line();
  }

  void keep(const Row& row) {
    fill(row);
    for (std::size_t i = 0; i < line_.size(); ++i) widest_[i] = std::max(widest_[i], line_[i].width);
    kept_.push_back(line_);
  }

  void write_kept() {
    if (style_.size) std::tie(style_.terminal_columns, style_.terminal_rows) = style_.size();
    std::vector<bool> stays;
    for (std::size_t i = 0; i < line_.size(); ++i) stays.push_back(!layout_.columns()[i].if_any || any_[i]);
    layout_.take_contents(widest_, any_);
    layout_.fit(style_.terminal_columns);
    header();
    for (std::vector<Cell>& cells : kept_) {
      line_.clear();
      for (std::size_t i = 0; i < cells.size(); ++i) {
        if (stays[i]) line_.push_back(std::move(cells[i]));
      }
      write_line();
    }
    kept_.clear();
  }

  // The window has another size: what follows is laid out for it.
  void refit() {
    const auto [columns, rows] = style_.size();
    style_.terminal_rows = rows;
    if (columns == style_.terminal_columns) return;
    style_.terminal_columns = columns;
    layout_.fit(columns);
    lines_ = style_.terminal_rows;  // a header comes before the next row
  }

  // Appends a cell with the padding before it. `width` is what `text` takes on the terminal.
  void put(const TableColumn& c, std::string_view text, std::size_t width, std::string_view color) {
    std::string& out = output_.buffer();
    const std::size_t at = place(c, width, position_);
    out.append(at - position_, ' ');
    if (color.empty()) {
      out.append(text);
    } else {
      out.append(color).append(text).append(kPlain);
    }
    position_ = at + width;
  }

  void end_line() {
    output_.buffer() += '\n';
    const std::size_t wrapped =
        style_.terminal_columns == 0 || position_ == 0 ? 0 : (position_ - 1) / style_.terminal_columns;
    lines_ += 1 + wrapped;
  }

  void header() {
    lines_ = 0;
    position_ = 0;
    for (const TableColumn& c : layout_.columns()) {
      if (c.visible) put(c, c.heading, c.heading.size(), style_.color ? kBold : std::string_view{});
    }
    end_line();
  }

  const Schema& schema_;
  Output& output_;
  TableStyle style_;
  CellWriter cells_;
  TableLayout layout_;
  std::vector<Cell> line_;  // reused
  std::vector<bool> any_;   // of TableStyle::contents, by column: some row has it, and it is not 0
  std::vector<std::size_t> widest_;
  std::vector<std::vector<Cell>> kept_;  // of TableStyle::contents, until the end
  Below below_;                          // what stands below all rows
  std::string text_;                     // reused
  std::size_t position_ = 0;             // columns of the line that are written
  std::size_t lines_ = 0;                // of the terminal since the header began
  std::size_t rows_ = 0;
};

}  // namespace

std::unique_ptr<Sink> make_table_sink(const Schema& schema, Output& output, TableStyle style) {
  return std::make_unique<TableSink>(schema, output, std::move(style));
}

}  // namespace plumb
