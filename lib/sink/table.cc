// An aligned table, one line an event. A value longer than its column pushes what follows to the right, in
// its own line only; columns after it give up their padding until the line is back in step. Nothing is ever
// cut.
//
//   TIME             PID COMM             OUTCOME      REMOTE             LATENCY
//   09:41:07.123   81234 curl             established  192.0.2.7           1.20ms
//   09:41:07.391   81240 postgres         refused      fd00::17               -

#include <algorithm>

#include "sink/cell.h"
#include "sink/formats.h"

namespace plumb {
namespace {

constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kYellow = "\033[33m";
constexpr std::string_view kPlain = "\033[0m";

struct Column {
  std::size_t field = 0;
  std::string_view heading;
  FieldType type = FieldType::text;
  TypeMask types = 0;
  std::span<const std::string_view> alerts;
  std::size_t width = 0;
  bool right = false;     // numbers
  bool shrinks = false;   // text: usually shorter than its column
  std::size_t start = 0;  // where the column begins on the terminal
};

bool is_number(const Column& c, TableStyle::Time style) {
  switch (c.type) {
    case FieldType::integer:
    case FieldType::unsigned_integer:
    case FieldType::number:
    case FieldType::duration:
    case FieldType::bytes:
      return true;
    case FieldType::time:
      return style == TableStyle::Time::relative;
    default:
      return false;
  }
}

class TableSink final : public Sink {
 public:
  TableSink(const Schema& schema, Output& output, TableStyle style)
      : schema_(&schema), output_(&output), style_(std::move(style)), cells_(style_.time, style_.started) {
    for (std::size_t i : style_.columns) {
      const FieldSpec& spec = schema.spec(i);
      if (spec.type == FieldType::time && style_.time == TableStyle::Time::none) continue;
      Column c{i, spec.heading, spec.type, spec.types, spec.alerts};
      c.width =
          std::max(spec.type == FieldType::time ? cells_.time_width() : spec.width, spec.heading.size());
      c.right = is_number(c, style_.time);
      c.shrinks =
          spec.type == FieldType::text || spec.type == FieldType::address || spec.type == FieldType::list;
      columns_.push_back(c);
    }
    fit();
  }

  Result<void> begin() override {
    header();
    return output_->write_out();
  }

  Result<void> row(const Row& row) override {
    if (style_.terminal_rows != 0 && lines_ >= style_.terminal_rows) header();
    const std::size_t type = row.type();
    position_ = 0;
    for (const Column& c : columns_) {
      cell_.clear();
      const Value value = (c.types >> type & 1U) != 0 ? row.get(c.field) : Value{None{}};
      const std::size_t width = cells_.append(cell_, c.type, value);
      put(c, cell_, width, style_.color && is_alert(c, value) ? kRed : std::string_view{});
    }
    end_line();
    return output_->maybe_write();
  }

  Result<void> lost(const Loss& loss) override {
    std::string& out = output_->buffer();
    if (style_.color) out += kYellow;
    const std::size_t before = out.size();
    out += "-- ";
    cells_.append(out, FieldType::unsigned_integer, loss.count);
    out += loss.count == 1 ? " event lost" : " events lost";
    if (!loss.why.empty()) out.append(": ").append(loss.why);
    out += " --";
    position_ = out.size() - before;
    if (style_.color) out += kPlain;
    end_line();
    return output_->maybe_write();
  }

  Result<void> flush() override { return output_->write_out(); }

 private:
  static bool is_alert(const Column& c, const Value& value) {
    const Name* name = std::get_if<Name>(&value);
    return name != nullptr && std::find(c.alerts.begin(), c.alerts.end(), name->text) != c.alerts.end();
  }

  std::size_t total(std::size_t gap) const {
    std::size_t sum = 0;
    for (const Column& c : columns_) sum += c.width + gap;
    return sum < gap ? 0 : sum - gap;
  }

  // Two spaces between columns, one where the terminal is narrow; then the widest text columns shrink, down
  // to their headings, until a line of usual values fits. What still does not fit wraps.
  void fit() {
    const std::size_t room = style_.terminal_columns;
    const std::size_t gap = room != 0 && total(2) > room ? 1 : 2;
    while (room != 0 && total(gap) > room) {
      Column* widest = nullptr;
      for (Column& c : columns_) {
        const bool can = c.shrinks && c.width > c.heading.size();
        if (can && (widest == nullptr || c.width > widest->width)) widest = &c;
      }
      if (widest == nullptr) break;
      --widest->width;
    }
    std::size_t start = 0;
    for (Column& c : columns_) {
      c.start = start;
      start += c.width + gap;
    }
  }

  // Appends a cell with the padding before it. `width` is what `text` takes on the terminal.
  void put(const Column& c, std::string_view text, std::size_t width, std::string_view color) {
    std::string& out = output_->buffer();
    std::size_t at = c.start;
    if (c.right && width < c.width) at += c.width - width;
    if (position_ != 0) at = std::max(at, position_ + 1);
    out.append(at - position_, ' ');
    if (color.empty()) {
      out.append(text);
    } else {
      out.append(color).append(text).append(kPlain);
    }
    position_ = at + width;
  }

  void end_line() {
    output_->buffer() += '\n';
    const std::size_t wrapped =
        style_.terminal_columns == 0 || position_ == 0 ? 0 : (position_ - 1) / style_.terminal_columns;
    lines_ += 1 + wrapped;
  }

  void header() {
    lines_ = 0;
    position_ = 0;
    for (const Column& c : columns_)
      put(c, c.heading, c.heading.size(), style_.color ? kBold : std::string_view{});
    end_line();
  }

  const Schema* schema_;
  Output* output_;
  TableStyle style_;
  CellWriter cells_;
  std::vector<Column> columns_;
  std::string cell_;          // reused
  std::size_t position_ = 0;  // columns of the line that are written
  std::size_t lines_ = 0;     // of the terminal since the header began
};

}  // namespace

std::unique_ptr<Sink> make_table_sink(const Schema& schema, Output& output, TableStyle style) {
  return std::make_unique<TableSink>(schema, output, std::move(style));
}

}  // namespace plumb
