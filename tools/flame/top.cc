#include "flame/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "profile/write.h"
#include "sink/cell.h"
#include "sink/top_keys.h"

namespace plumb {
namespace {

constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kReverse = "\033[7m";
constexpr std::string_view kPlain = "\033[0m";
constexpr std::string_view kHeadings[] = {"SELF%", "TOTAL%", "NOW%"};  // what the table is sorted by
constexpr std::size_t kMeasures = std::size(kHeadings);
constexpr std::size_t kShareWidth = 7, kWeightWidth = 9;
constexpr std::size_t kWidestModule = 24, kLeastFunction = 24, kCommWidth = 15, kPidWidth = 7;

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

class FunctionTop final : public TopSink {
 public:
  FunctionTop(Screen& screen, const ClockSource& clock, TopStyle style, FunctionSource source,
              FunctionGroups groups)
      : screen_(screen),
        clock_(clock),
        style_(std::move(style)),
        source_(std::move(source)),
        groups_(groups) {
    table_.group_by(groups.comm, groups.pid);
    started_ = last_frame_ = clock_.boot();
  }

  Result<void> begin() override { return style_.once ? Result<void>{} : draw(); }

  // Of saved lines.
  Result<void> row(const Row& row) override {
    const Schema& fields = row.schema();
    const auto value = [&](std::string_view key) {
      const std::size_t i = fields.find(key);
      return i != Schema::npos && row.carries(i) ? row.get(i) : Value{None{}};
    };
    const Value stack = value("stack"), weight = value("value"), unit = value("unit"), event = value("event");
    const auto* frames = std::get_if<std::span<const std::string_view>>(&stack);
    const auto* n = std::get_if<std::uint64_t>(&weight);
    if (frames == nullptr || n == nullptr) return {};
    if (table_.functions().empty()) started_ = clock_.boot();
    const Value comm = value("comm"), pid = value("pid");
    const auto* name = std::get_if<std::string_view>(&comm);
    const auto* id = std::get_if<std::uint64_t>(&pid);
    table_.add(*frames, name == nullptr ? std::string_view{} : *name,
               id == nullptr ? 0 : static_cast<std::uint32_t>(*id), *n);
    if (const auto* u = std::get_if<std::string_view>(&unit))
      saved_.unit = *u == "nanoseconds" ? profile::Unit::nanoseconds
                    : *u == "bytes"     ? profile::Unit::bytes
                                        : profile::Unit::count;
    if (const auto* e = std::get_if<std::string_view>(&event)) saved_.event = *e;
    return {};
  }

  Result<void> lost(const Loss& loss) override {
    lost_ += loss.count;
    return {};
  }

  Result<void> flush() override {
    const bool typed = keys_.take(screen_.keys());
    while (keys_.take_sort()) sort_ = (sort_ + 1) % kMeasures;
    const bool changed = typed || screen_.stale();
    const BootTime now = clock_.boot();
    const bool due =
        static_cast<std::int64_t>(now.ns - last_frame_.ns) >= style_.interval_ns && !keys_.paused();
    if (style_.once || (!due && !changed)) return {};
    if (due) update(now, true);
    return draw();
  }

  Result<void> end() override {
    // Shares of the moment since the last frame would be chance: it lengthens the last interval.
    const BootTime now = clock_.boot();
    const auto since = static_cast<std::int64_t>(now.ns - last_frame_.ns);
    update(now, !updated_ || since >= style_.interval_ns / 2);
    if (screen_.rows() == 0) return draw();
    last_ = frame(screen_.rows(), false);
    return {};
  }

  bool quit() const override { return keys_.quit(); }
  const std::string& last_frame() const override { return last_; }

 private:
  void update(BootTime now, bool interval) {
    if (source_.update) source_.update(table_, interval);
    last_frame_ = now;
    updated_ = true;
  }

  std::array<std::uint64_t, kMeasures> weights(const FunctionWeight& f) const {
    return {f.self, f.total, f.recent};
  }

  std::vector<const FunctionWeight*> sorted() const {
    std::vector<const FunctionWeight*> rows;
    const std::string& filter = keys_.filter();
    for (const FunctionWeight& f : table_.functions()) {
      if (f.total != 0 &&
          (filter.empty() || f.name.find(filter) != std::string::npos ||
           f.module.find(filter) != std::string::npos || f.comm.find(filter) != std::string::npos))
        rows.push_back(&f);
    }
    const auto before = [this](const FunctionWeight* a, const FunctionWeight* b) {
      const auto x = weights(*a), y = weights(*b);
      for (const std::size_t m : {sort_, std::size_t{0}, std::size_t{1}}) {
        if (x[m] != y[m]) return x[m] > y[m];
      }
      return std::tie(a->name, a->module, a->comm, a->pid) < std::tie(b->name, b->module, b->comm, b->pid);
    };
    std::ranges::sort(rows, before);
    if (keys_.reversed()) std::ranges::reverse(rows);
    return rows;
  }

  // Which columns there is room for beside the function's name, and how wide the module's is.
  struct Layout {
    bool now = false, weight = false;
    std::size_t module = 0;  // 0: none
  };

  Layout fit(const std::vector<const FunctionWeight*>& rows) const {
    Layout layout;
    std::size_t room = screen_.columns();
    const std::size_t least = 2 * (kShareWidth + 1) + kLeastFunction + (groups_.comm ? kCommWidth + 1 : 0) +
                              (groups_.pid ? kPidWidth + 1 : 0);
    room -= std::min(room, least);
    const auto take = [&room](std::size_t width) {
      if (width >= room) return false;
      return room -= width + 1, true;
    };
    std::size_t module = std::string_view("MODULE").size();
    for (const FunctionWeight* f : rows) module = std::max(module, display_width(f->module));
    module = std::min(module, kWidestModule);
    if (take(module)) layout.module = module;
    layout.now = source_.update && take(kShareWidth);  // saved lines have no intervals
    layout.weight = take(kWeightWidth);
    return layout;
  }

  profile::Description description() const { return source_.description ? source_.description() : saved_; }

  void append_header(std::string& frame, const Layout& layout, const profile::Description& d) const {
    std::string line;
    for (std::size_t m = 0; m < kMeasures; ++m) {
      if (m == 2 && !layout.now) continue;
      std::string heading(kHeadings[m]);
      if (m == sort_) heading += keys_.reversed() ? "\u2191" : "\u2193";
      const std::size_t width = display_width(heading);
      line.append(kShareWidth - std::min(kShareWidth, width), ' ').append(heading) += ' ';
    }
    const std::string_view weight = d.unit == profile::Unit::nanoseconds ? "TIME"
                                    : d.unit == profile::Unit::bytes     ? "BYTES"
                                                                         : "SAMPLES";
    if (layout.weight) line += fmt::format("{:>{}} ", weight, kWeightWidth);
    if (groups_.pid) line += fmt::format("{:>{}} ", "PID", kPidWidth);
    if (groups_.comm) line += fmt::format("{:<{}} ", "COMM", kCommWidth);
    if (layout.module != 0) line += fmt::format("{:<{}} ", "MODULE", layout.module);
    line += "FUNCTION";
    append_line(frame, std::move(line), screen_.rows() == 0 ? kBold : kReverse);
  }

  void append_row(std::string& frame, const FunctionWeight& f, const Layout& layout,
                  const profile::Description& d) const {
    std::string line = fmt::format("{:{}.2f} {:{}.2f} ", share(f.self, table_.weight()), kShareWidth,
                                   share(f.total, table_.weight()), kShareWidth);
    if (layout.now) line += fmt::format("{:{}.2f} ", share(f.recent, table_.recent()), kShareWidth);
    if (layout.weight) {
      line += d.unit == profile::Unit::count
                  ? fmt::format("{:>{}} ", f.self, kWeightWidth)
                  : fmt::format("{:>{}} ", profile::weight_text(d, f.self), kWeightWidth);
    }
    if (groups_.pid) line += fmt::format("{:>{}} ", f.pid == 0 ? "-" : std::to_string(f.pid), kPidWidth);
    if (groups_.comm) append_left(line, f.comm, kCommWidth);
    if (layout.module != 0) append_left(line, f.module, layout.module);
    append_printable(line, f.name);
    append_line(frame, std::move(line));
  }

  static void append_left(std::string& line, std::string_view text, std::size_t width) {
    std::string shown;
    append_printable(shown, text.empty() ? "-" : text);
    if (display_width(shown) > width) shorten(shown, width);
    line.append(shown).append(width + 1 - display_width(shown), ' ');
  }

  void append_line(std::string& frame, std::string line, std::string_view style = {}) const {
    if (display_width(line) > screen_.columns()) shorten(line, screen_.columns());
    const bool styled = style_.color && !style.empty();
    if (styled) frame.append(style);
    frame.append(line);
    if (styled) frame.append(kPlain);
    frame += '\n';
  }

  std::string status_line(const profile::Description& d) const {
    std::string line = style_.title;
    keys_.append_state(line);
    line += fmt::format("  {:.1f} s", static_cast<double>(clock_.boot().ns - started_.ns) / 1e9);
    if (source_.about) return line + "  " + source_.about();
    append_printable(line.append("  "), d.event);
    line += "  " + profile::weight_text(d, table_.weight());
    if (lost_ != 0) line += fmt::format(", {} lost", lost_);
    return line;
  }

  Result<void> draw() { return screen_.show(frame(screen_.rows(), screen_.rows() != 0)); }

  // At most `height` lines; 0: as many as it takes.
  std::string frame(std::size_t height, bool keys) const {
    const profile::Description d = description();
    std::string frame;
    append_line(frame, status_line(d));
    std::vector<const FunctionWeight*> rows = sorted();
    const std::size_t all = rows.size();
    if (height != 0) rows.resize(std::min(all, height - std::min<std::size_t>(height, 3)));
    const Layout layout = fit(rows);
    if (height != 1) append_header(frame, layout, d);
    for (const FunctionWeight* f : rows) append_row(frame, *f, layout, d);
    std::string bottom;
    if (const std::size_t more = all - rows.size(); more != 0)
      bottom = fmt::format("{} more row{}", more, more == 1 ? "" : "s");
    if (keys) bottom.append(bottom.empty() ? "" : "   ").append(keys_.help());
    if (height >= 3 && !bottom.empty()) append_line(frame, std::move(bottom), kBold);
    return frame;
  }

  Screen& screen_;
  const ClockSource& clock_;
  TopStyle style_;
  FunctionSource source_;
  FunctionGroups groups_;
  FunctionTable table_;
  TopKeys keys_;
  profile::Description saved_;
  BootTime started_, last_frame_;
  std::uint64_t lost_ = 0;
  std::size_t sort_ = 0;  // of kHeadings
  bool updated_ = false;
  std::string last_;
};

}  // namespace

std::unique_ptr<TopSink> make_function_top(Screen& screen, const ClockSource& clock, TopStyle style,
                                           FunctionSource source, FunctionGroups groups) {
  return std::make_unique<FunctionTop>(screen, clock, std::move(style), std::move(source), groups);
}

}  // namespace plumb
