// A terminal that is too narrow for every column gets fewer of them, not narrower numbers: those that the tool ranks
// lowest go, until what is left fits with its texts at about half their usual width. The room that remains goes back to
// the texts, the most wanting first, and then into wider gaps.
#include "sink/table_layout.h"

#include <algorithm>

namespace plumb {
namespace {

constexpr std::size_t kEndpoint = 21;       // 255.255.255.255:65535
constexpr std::size_t kLeastEndpoint = 17;  // 10.231.7.21:65535
constexpr std::size_t kLeastText = 8;
constexpr std::size_t kPortName = 10;  // postgresql

bool is_number(FieldType type, TableStyle::Time time) {
  switch (type) {
    case FieldType::integer:
    case FieldType::unsigned_integer:
    case FieldType::number:
    case FieldType::duration:
    case FieldType::bytes:
      return true;
    case FieldType::time:
      return time == TableStyle::Time::relative;
    default:
      return false;
  }
}

bool is_text(FieldType type) {
  return type == FieldType::text || type == FieldType::list;
}

bool contains(const std::vector<std::size_t>& fields, std::size_t field) {
  return std::ranges::find(fields, field) != fields.end();
}

// The address that shows this port in its column.
std::size_t address_of(const Schema& schema, const TableStyle& style, std::size_t port) {
  for (const std::size_t i : style.columns) {
    if (!schema.spec(i).port.empty() && schema.spec(i).port == schema.spec(port).key) return i;
  }
  return Schema::npos;
}

}  // namespace

TableLayout::TableLayout(const Schema& schema, const TableStyle& style, std::size_t time_width)
    : fields_(schema.size()), chosen_(style.chosen) {
  for (const std::size_t i : style.columns) {
    if (schema.spec(i).type == FieldType::time && style.time == TableStyle::Time::none) continue;
    if (!chosen_ && address_of(schema, style, i) != Schema::npos) continue;
    if (!chosen_ && (schema.spec(i).types & ~style.sentences.types) == 0) continue;
    if (!chosen_ && schema.spec(i).below) {
      below_ = i;
      continue;
    }
    add(schema, style, i, time_width);
  }
  fit(style.contents ? 0 : style.terminal_columns);
}

void TableLayout::add(const Schema& schema, const TableStyle& style, std::size_t field,
                      std::size_t time_width) {
  const FieldSpec& spec = schema.spec(field);
  TableColumn c{.field = field,
                .heading = spec.heading,
                .type = spec.type,
                .types = spec.types,
                .spec = &spec,
                .rank = spec.rank,
                .if_any = spec.if_any && style.contents && !chosen_};
  if (const std::size_t port = spec.port.empty() ? Schema::npos : schema.find(spec.port);
      !chosen_ && port != Schema::npos && contains(style.columns, port))
    c.port = port;
  c.right = is_number(spec.type, style.time);
  c.cuttable = is_text(spec.type) || spec.type == FieldType::address;
  c.usual =
      std::max<std::size_t>(spec.type == FieldType::time ? time_width : spec.width, spec.heading.size());
  if (style.port_names && is_port(spec)) c.usual = std::max(c.usual, kPortName);
  c.least = c.usual;
  if (is_text(spec.type))
    c.least = std::min(c.usual, std::max({kLeastText, c.usual / 2, spec.heading.size()}));
  if (c.port != Schema::npos) {
    const std::size_t longer = style.port_names ? kPortName - 5 : 0;  // than 65535
    c.usual = std::max(c.usual, kEndpoint + longer);
    c.least = kLeastEndpoint + longer;
  }
  columns_.push_back(c);
}

void TableLayout::take_contents(const std::vector<std::size_t>& widths, const std::vector<bool>& any) {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    TableColumn& c = columns_[i];
    c.usual = std::max(widths[i], c.heading.size());
    c.least = std::min(c.usual, c.cuttable ? std::max(c.least, c.heading.size()) : c.usual);
  }
  for (std::size_t i = columns_.size(); i-- > 0;) {
    if (columns_[i].if_any && !any[i]) columns_.erase(columns_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::size_t TableLayout::left_out() const {
  std::size_t shown = below_ == Schema::npos ? 0 : 1;
  for (const TableColumn& c : columns_) {
    if (c.visible) shown += c.port == Schema::npos ? 1 : 2;
  }
  return fields_ - std::min(fields_, shown);
}

// With gaps of one column.
std::size_t TableLayout::least_room() const {
  std::size_t sum = 0;
  for (const TableColumn& c : columns_) sum += c.visible ? c.least + 1 : 0;
  return sum == 0 ? 0 : sum - 1;
}

TableColumn* TableLayout::next_to_leave() {
  TableColumn* next = nullptr;
  std::size_t visible = 0;
  for (TableColumn& c : columns_) {
    if (!c.visible) continue;
    ++visible;
    if (next == nullptr || c.rank >= next->rank) next = &c;
  }
  return visible > 1 ? next : nullptr;
}

void TableLayout::grow(std::size_t slack) {
  for (; slack > 0; --slack) {
    TableColumn* most = nullptr;
    for (TableColumn& c : columns_) {
      if (c.visible && c.width < c.usual &&
          (most == nullptr || c.usual - c.width > most->usual - most->width))
        most = &c;
    }
    if (most == nullptr) return;
    ++most->width;
  }
}

void TableLayout::fit(std::size_t room) {
  room_ = room;
  cuts_ = room != 0;
  for (TableColumn& c : columns_) c.visible = true;
  while (room != 0 && least_room() > room) {
    TableColumn* leaves = chosen_ ? nullptr : next_to_leave();
    if (leaves == nullptr) break;
    leaves->visible = false;
  }
  if (chosen_ && least_room() > room) cuts_ = false;  // all were asked for: such lines wrap
  for (TableColumn& c : columns_) c.width = room == 0 ? c.usual : c.least;
  const std::size_t least = least_room();
  if (room > least) grow(room - least);

  std::size_t used = 0;
  std::size_t visible = 0;
  for (const TableColumn& c : columns_) {
    used += c.visible ? c.width : 0;
    visible += c.visible ? 1 : 0;
  }
  const std::size_t gap = visible > 0 && (room == 0 || used + 2 * (visible - 1) <= room) ? 2 : 1;
  gap_ = gap;
  place();
}

void TableLayout::place() {
  std::size_t end = 0;
  last_ = columns_.size();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    TableColumn& c = columns_[i];
    if (!c.visible) continue;
    c.start = last_ == columns_.size() ? 0 : end + gap_;
    end = c.start + c.width;
    last_ = i;
  }
  spare_ = room_ > end ? room_ - end : 0;
}

bool TableLayout::widen(std::size_t column, std::size_t width) {
  TableColumn& c = columns_[column];
  if (column == last_ || spare_ == 0 || width <= c.width) return false;
  constexpr std::size_t kStep = 8;  // seldom, rather than a little each time
  c.width += std::min(spare_, (width - c.width + kStep - 1) / kStep * kStep);
  place();
  return true;
}

bool TableLayout::has_room() const {
  return last_ < columns_.size() && columns_[last_].start + columns_[last_].width <= room_;
}

std::size_t TableLayout::most(std::size_t column) const {
  const TableColumn& c = columns_[column];
  return column == last_ && room_ > c.start ? room_ - c.start : c.width;
}

}  // namespace plumb
