// The live table. What one frame looks like:
//
//   tcpconnect  12.0 s  1234 events  56.7/s  0 lost
//      PID COMM             REMOTE                TOTAL↓   RATE/s  FAILED     P50     P99      TX
//    81234 curl             192.0.2.7:443            801     40.2       3  1.20ms  9.84ms    1.2M
//   27 more rows   q quit  s sort  r reverse  p pause  / filter
//
// A screen that is too narrow has fewer columns: a number that lacks digits is another number. A row that is longer than
// the screen all the same ends in an ellipsis.
//
// An event finds its group by the printed text of its group fields (one hash look-up, a reused buffer), adds
// to the group's numbers and is gone.
//
// Memory is bounded, and yet the busiest group of all may come last. So once kMaxGroups are there, all but kKeptGroups are
// forgotten: those stay that have the most events, that were busiest of late, and that come first as the table is sorted
// now. What was forgotten had at most `forgotten_` events; a group that comes (again) later may have had as many before, so
// its total is a lower bound, shown as ">801", and it weighs that much more when groups are forgotten next. Whatever has
// more events than `forgotten_` is therefore on the table ("space saving", in batches so that a scan costs nothing per
// event).
#include "sink/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/text.h"
#include "event/group_sums.h"
#include "sink/cell.h"
#include "sink/top_keys.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxGroups = 1024;
constexpr std::size_t kKeptGroups = 512;
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kReverse = "\033[7m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kPlain = "\033[0m";

struct Group {
  std::vector<std::string> cells;  // printed texts of the group fields
  GroupSums sums;
  std::uint64_t before = 0;  // at most so many came before it was forgotten, and are not in its count
  std::uint64_t recent = 0;  // since the last frame
  double rate = 0;
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};

enum class Measure : std::uint8_t { key, total, rate, failed, p50, p99, sum };

struct TopColumn {
  std::string heading;
  Measure measure;
  std::size_t index = 0;  // of the group field or the sum
  std::size_t least = 0;  // the width below which it does not shrink
  bool right = true;
  std::uint8_t rank = 0;  // those with the highest go first where the screen is narrow
  bool visible = true;    // in this frame
  std::size_t floor = 0;  // in this frame: `least`, or what its numbers need
  std::size_t width = 0;
  std::size_t start = 0;
};

// A quantile's estimate may lie above all that was observed, and so above what a Duration holds.
Duration to_duration(double ns) {
  constexpr double kMost = 9.2e18;
  return {static_cast<std::int64_t>(std::min(ns, kMost))};
}

class Top final : public TopSink {
 public:
  Top(const Schema& schema, Screen& screen, const ClockSource& clock, TopStyle style)
      : screen_(screen),
        clock_(clock),
        style_(std::move(style)),
        cells_(TableStyle::Time::none, {}),
        measures_(schema, style_.counted, latency_field(schema)) {
    cells_.name_ports(style_.port_names.get());
    choose_fields(schema);
    started_ = last_frame_ = clock_.boot();
  }

  Result<void> begin() override { return style_.once ? Result<void>{} : draw(); }

  Result<void> row(const Row& row) override {
    if (style_.replay && !began_) started_ = last_frame_ = clock_.boot();
    began_ = true;
    Group& group = find(row);
    if (measures_.add(row, group.sums)) {
      ++group.recent;
      ++events_;
      ++recent_events_;
    }
    return {};
  }

  Result<void> lost(const Loss& loss) override {
    lost_ += loss.count;
    return {};
  }

  Result<void> flush() override {
    const bool changed = take_keys() || screen_.stale();
    const BootTime now = clock_.boot();
    const bool due = static_cast<std::int64_t>(now.ns - last_frame_.ns) >= style_.interval_ns;
    if (style_.once) return {};  // its rates are of the whole time
    if (due && !keys_.paused()) settle_rates(now);
    if (((due && !keys_.paused()) || changed)) return draw();
    return {};
  }

  Result<void> end() override {
    // A rate over the moment since the last frame would be nonsense: the last whole interval's stays.
    const BootTime now = clock_.boot();
    const auto since = static_cast<std::int64_t>(now.ns - last_frame_.ns);
    if (!settled_ || since >= style_.interval_ns / 2) settle_rates(now);
    if (screen_.rows() == 0) return draw();
    last_ = frame(screen_.rows(), false);
    return {};
  }

  bool quit() const override { return keys_.quit(); }
  const std::string& last_frame() const override { return last_; }

 private:
  void choose_fields(const Schema& schema) {
    for (std::size_t i = 0; i < schema.size(); ++i) {
      const FieldSpec& f = schema.spec(i);
      if (groups_by(i, f) && !stands_with_its_address(schema, i)) {
        const bool right = f.type == FieldType::unsigned_integer || f.type == FieldType::integer;
        const std::size_t port = f.port.empty() ? Schema::npos : schema.find(f.port);
        const bool endpoint = port != Schema::npos && groups_by(port, schema.spec(port));
        columns_.push_back({std::string(f.heading), Measure::key, group_fields_.size(),
                            least_width(f, right, endpoint), right, f.rank});
        group_fields_.push_back(i);
        ports_.push_back(endpoint ? port : Schema::npos);
      }
    }
    sort_ = columns_.size();
    columns_.push_back({"TOTAL", Measure::total, 0, 7, true, 0});
    columns_.push_back({"RATE/s", Measure::rate, 0, 8, true, 4});
    if (measures_.may_fail()) columns_.push_back({"FAILED", Measure::failed, 0, 7, true, 1});
    if (measures_.latency() != Schema::npos) {
      columns_.push_back({"P50", Measure::p50, 0, 7, true, 3});
      columns_.push_back({"P99", Measure::p99, 0, 7, true, 2});
    }
    for (std::size_t i = 0; i < measures_.sizes().size(); ++i) {
      columns_.push_back(
          {std::string(schema.spec(measures_.sizes()[i]).heading), Measure::sum, i, 6, true, 8});
    }
    for (TopColumn& c : columns_) c.least = std::max(c.least, c.heading.size() + 1);  // and the mark
    schema_ = &schema;
  }

  static std::size_t least_width(const FieldSpec& f, bool right, bool endpoint) {
    if (endpoint) return 17;  // 10.231.7.21:65535
    return right || f.type == FieldType::address ? f.width : std::min<std::size_t>(f.width, 8);
  }

  // A port whose address is a group too has no column of its own.
  bool stands_with_its_address(const Schema& schema, std::size_t port) const {
    for (std::size_t i = 0; i < schema.size(); ++i) {
      const FieldSpec& f = schema.spec(i);
      if (!f.port.empty() && f.port == schema.spec(port).key && groups_by(i, f)) return true;
    }
    return false;
  }

  bool groups_by(std::size_t i, const FieldSpec& f) const {
    if (style_.group.empty()) return f.group;
    return std::find(style_.group.begin(), style_.group.end(), i) != style_.group.end();
  }

  Group& find(const Row& row) {
    key_.clear();
    const auto value = [&](std::size_t i) { return row.carries(i) ? row.get(i) : Value{None{}}; };
    for (std::size_t n = 0; n < group_fields_.size(); ++n) {
      const std::size_t i = group_fields_[n];
      if (ports_[n] == Schema::npos) {
        cells_.append_of(key_, schema_->spec(i), value(i));
      } else {
        cells_.append_endpoint(key_, value(i), value(ports_[n]));
      }
      key_ += '\0';
    }
    if (const auto found = groups_.find(std::string_view(key_)); found != groups_.end()) return found->second;
    if (groups_.size() >= kMaxGroups) forget_the_least();
    Group group;
    std::string_view rest = key_;
    for (std::size_t i = 0; i < group_fields_.size(); ++i) {
      const std::size_t end = rest.find('\0');
      group.cells.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    group.sums = measures_.nothing();
    group.before = forgotten_;
    return groups_.emplace(key_, std::move(group)).first->second;
  }

  void forget_the_least() {
    std::vector<const Group*> order;
    for (const auto& [key, group] : groups_) order.push_back(&group);
    std::unordered_set<const Group*> kept;
    const auto keep = [&](std::size_t up_to, auto&& first) {
      std::sort(order.begin(), order.end(), first);
      for (auto g = order.begin(); g != order.end() && kept.size() < up_to; ++g) kept.insert(*g);
    };
    keep(kKeptGroups / 2, [](const Group* a, const Group* b) { return weight(*a) > weight(*b); });
    keep(kKeptGroups * 3 / 4, [](const Group* a, const Group* b) { return activity(*a) > activity(*b); });
    keep(kKeptGroups, [this](const Group* a, const Group* b) { return in_order(*a, *b); });
    std::erase_if(groups_, [&](const auto& entry) {
      if (kept.contains(&entry.second)) return false;
      forgotten_ = std::max(forgotten_, weight(entry.second));
      return true;
    });
  }

  static std::uint64_t weight(const Group& g) { return g.sums.count + g.before; }
  static double activity(const Group& g) { return g.rate + static_cast<double>(g.recent); }

  void settle_rates(BootTime now) {
    const double seconds = std::max(static_cast<double>(now.ns - last_frame_.ns) / 1e9, 1e-3);
    for (auto& [key, group] : groups_) {
      group.rate = static_cast<double>(group.recent) / seconds;
      group.recent = 0;
    }
    rate_ = static_cast<double>(recent_events_) / seconds;
    recent_events_ = 0;
    last_frame_ = now;
    settled_ = true;
  }

  // True when the picture changed.
  bool take_keys() {
    const bool changed = keys_.take(screen_.keys());
    while (keys_.take_sort()) next_sort();
    return changed;
  }

  // Of the columns that are to be seen.
  void next_sort() {
    do {
      sort_ = (sort_ + 1) % columns_.size();
    } while (!columns_[sort_].visible);
  }

  double number(const Group& g, const TopColumn& c) const {
    if (c.measure == Measure::total) return static_cast<double>(g.sums.count);
    if (c.measure == Measure::rate) return g.rate;
    if (c.measure == Measure::failed) return static_cast<double>(g.sums.failed);
    if (c.measure == Measure::p50) return g.sums.latency.quantile(0.50).value_or(-1);
    if (c.measure == Measure::p99) return g.sums.latency.quantile(0.99).value_or(-1);
    return c.measure == Measure::sum ? static_cast<double>(g.sums.sizes[c.index]) : 0;
  }

  // Numbers: largest first; texts: from A on, numbers in them by value. Ties by key, so that rows do not
  // dance.
  std::vector<const Group*> sorted() const {
    std::vector<const Group*> rows;
    rows.reserve(groups_.size());
    for (const auto& [key, group] : groups_) {
      const bool matches = keys_.filter().empty() ||
                           std::any_of(group.cells.begin(), group.cells.end(), [&](const auto& cell) {
                             return cell.find(keys_.filter()) != std::string::npos;
                           });
      if (matches) rows.push_back(&group);
    }
    std::sort(rows.begin(), rows.end(), [&](const Group* a, const Group* b) { return in_order(*a, *b); });
    return rows;
  }

  bool in_order(const Group& a, const Group& b) const {
    return keys_.reversed() ? before(b, a) : before(a, b);
  }

  bool before(const Group& a, const Group& b) const {
    const TopColumn& by = columns_[sort_];
    if (by.measure != Measure::key) {
      if (const double x = number(a, by), y = number(b, by); x != y) return x > y;
    } else if (a.cells[by.index] != b.cells[by.index]) {
      return key_before(a, b, by);
    }
    const auto differs = [&](const TopColumn& c) {
      return c.measure == Measure::key && a.cells[c.index] != b.cells[c.index];
    };
    const auto first = std::find_if(columns_.begin(), columns_.end(), differs);
    return first != columns_.end() && key_before(a, b, *first);
  }

  static bool key_before(const Group& a, const Group& b, const TopColumn& c) {
    const std::string& x = a.cells[c.index];
    const std::string& y = b.cells[c.index];
    return c.right && x.size() != y.size() ? x.size() < y.size() : x < y;
  }

  // The columns of this frame: keys as wide as the rows need, as long as the screen has room for it.
  void fit(const std::vector<const Group*>& rows) {
    const std::size_t room = screen_.columns();
    for (TopColumn& c : columns_) {
      c.visible = true;
      c.floor = c.least;
      if (c.measure != Measure::key || !c.right) continue;  // a number is not cut
      for (const Group* g : rows) c.floor = std::max(c.floor, display_width(g->cells[c.index]));
    }
    while (least_room() > room && leave_one_out()) {
    }
    std::size_t total = least_room();
    for (TopColumn& c : columns_) {
      if (!c.visible) continue;
      c.width = c.floor;
      if (c.measure != Measure::key) continue;
      for (const Group* g : rows) c.width = std::max(c.width, display_width(g->cells[c.index]));
      total += c.width - c.floor;
    }
    while (total > room) {
      TopColumn* widest = nullptr;
      for (TopColumn& c : columns_) {
        if (c.visible && c.width > c.floor && (widest == nullptr || c.width > widest->width)) widest = &c;
      }
      if (widest == nullptr) break;
      --widest->width;
      --total;
    }
    std::size_t start = 0;
    for (TopColumn& c : columns_) {
      if (!c.visible) continue;
      c.start = start;
      start += c.width + 1;
    }
  }

  std::size_t least_room() const {
    std::size_t sum = 0;
    for (const TopColumn& c : columns_) sum += c.visible ? c.floor + 1 : 0;
    return sum - 1;
  }

  // What the table is sorted by stays, and one more.
  bool leave_one_out() {
    TopColumn* leaves = nullptr;
    std::size_t visible = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      TopColumn& c = columns_[i];
      if (!c.visible) continue;
      ++visible;
      if (i != sort_ && (leaves == nullptr || c.rank >= leaves->rank)) leaves = &c;
    }
    if (leaves == nullptr || visible <= 2) return false;
    return leaves->visible = false, true;
  }

  void append_cell(std::string& line, const Group& g, const TopColumn& c) {
    cell_.clear();
    std::size_t width = 0;
    const auto duration = [&](double q) {
      const auto ns = g.sums.latency.quantile(q);
      return cells_.append(cell_, FieldType::duration, ns ? Value{to_duration(*ns)} : Value{None{}});
    };
    switch (c.measure) {
      case Measure::key:
        cell_ = g.cells[c.index];
        if (c.width < display_width(cell_)) {
          ports_[c.index] == Schema::npos ? shorten(cell_, c.width) : shorten_endpoint(cell_, c.width);
        }
        width = display_width(cell_);
        break;
      case Measure::total:
        if (g.before != 0) cell_ = ">";
        width = cells_.append(cell_, FieldType::unsigned_integer, g.sums.count) + (g.before != 0 ? 1 : 0);
        break;
      case Measure::failed:
        width = cells_.append(cell_, FieldType::unsigned_integer, g.sums.failed);
        break;
      case Measure::rate:
        fmt::format_to(std::back_inserter(cell_), "{:.1f}", g.rate);
        width = cell_.size();
        break;
      case Measure::p50:
        width = duration(0.50);
        break;
      case Measure::p99:
        width = duration(0.99);
        break;
      case Measure::sum:
        width = cells_.append(cell_, FieldType::bytes,
                              g.sums.sized[c.index] ? Value{g.sums.sizes[c.index]} : Value{None{}});
        break;
    }
    put(line, cell_, width, c, c.measure == Measure::failed && g.sums.failed != 0);
  }

  // Behind a cell that is too wide for its column the next ones come back to theirs as soon as they can.
  void put(std::string& line, std::string_view text, std::size_t width, const TopColumn& c,
           bool alert = false) {
    std::size_t at = c.start;
    if (c.right && width < c.width) at += c.width - width;
    if (line.empty()) {
      position_ = 0;
    } else {
      at = std::max(at, position_ + 1);
    }
    line.append(at - position_, ' ');
    const bool colored = alert && style_.color && at + width <= screen_.columns();
    if (colored) line.append(kRed);
    line.append(text);
    if (colored) line.append(kPlain);
    position_ = at + width;
  }

  // A full screen has no second line for a long one. `width` is what the line takes on the screen.
  void append_line(std::string& frame, std::string line, std::size_t width,
                   std::string_view style = {}) const {
    if (width > screen_.columns()) shorten(line, screen_.columns());
    const bool styled = style_.color && !style.empty();
    if (styled) frame.append(style);
    frame.append(line);
    if (styled) frame.append(kPlain);
    frame += '\n';
  }

  std::string status_line() const {
    const double seconds = static_cast<double>(clock_.boot().ns - started_.ns) / 1e9;
    std::string line = style_.title;
    keys_.append_state(line);
    line += fmt::format("  {:.1f} s  {} event{}  {:.1f}/s  {} lost", seconds, events_,
                        events_ == 1 ? "" : "s", rate_, lost_);
    if (forgotten_ != 0) line += fmt::format("  groups of up to {} events left out", forgotten_);
    return line;
  }

  Result<void> draw() { return screen_.show(frame(screen_.rows(), screen_.rows() != 0)); }

  // At most `height` lines; 0: as many as it takes.
  std::string frame(std::size_t height, bool keys) {
    std::string frame;
    const std::string status = status_line();
    append_line(frame, status, display_width(status));
    std::vector<const Group*> rows = sorted();
    const std::size_t all = rows.size();
    if (height != 0) rows.resize(std::min(all, height - std::min<std::size_t>(height, 3)));
    fit(rows);
    if (height != 1) append_header(frame);
    std::string line;
    for (const Group* g : rows) {
      line.clear();
      for (const TopColumn& c : columns_) {
        if (c.visible) append_cell(line, *g, c);
      }
      append_line(frame, line, position_);
    }
    append_bottom(frame, height, all - rows.size(), keys);
    return frame;
  }

  void append_header(std::string& frame) {
    std::string line;
    for (const TopColumn& c : columns_) {
      if (!c.visible) continue;
      std::string heading = c.heading;
      if (&c == &columns_[sort_])
        heading += (c.measure == Measure::key) == keys_.reversed() ? "\u2193" : "\u2191";
      put(line, heading, display_width(heading), c);
    }
    append_line(frame, line, position_, screen_.rows() == 0 ? kBold : kReverse);
  }

  void append_bottom(std::string& frame, std::size_t height, std::size_t more, bool keys) const {
    std::string line;
    if (more != 0) line = fmt::format("{} more row{}", more, more == 1 ? "" : "s");
    if (keys) line.append(line.empty() ? "" : "   ").append(keys_.help());
    if (height < 3 || line.empty()) return;
    append_line(frame, line, line.size(), kBold);
  }

  Screen& screen_;
  const ClockSource& clock_;
  TopStyle style_;
  CellWriter cells_;
  const Schema* schema_ = nullptr;
  std::vector<std::size_t> group_fields_;
  std::vector<std::size_t> ports_;  // by group field: of an address with its port; npos
  GroupMeasures measures_;
  std::vector<TopColumn> columns_;
  std::unordered_map<std::string, Group, TextHash, std::equal_to<>> groups_;
  std::string key_;           // reused
  std::string cell_;          // reused
  std::size_t position_ = 0;  // columns of the line that are written
  BootTime started_, last_frame_;
  std::uint64_t events_ = 0, recent_events_ = 0, lost_ = 0;
  std::uint64_t forgotten_ = 0;  // the most events that a group had when it was forgotten
  double rate_ = 0;
  std::size_t sort_ = 0;
  bool began_ = false;    // there was a row
  bool settled_ = false;  // rates are of a whole interval
  TopKeys keys_;
  std::string last_;
};

}  // namespace

std::unique_ptr<TopSink> make_top_sink(const Schema& schema, Screen& screen, const ClockSource& clock,
                                       TopStyle style) {
  return std::make_unique<Top>(schema, screen, clock, std::move(style));
}

}  // namespace plumb
