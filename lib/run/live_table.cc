#include "run/live_table.h"

#include <unistd.h>

#include "run/outputs.h"
#include "run/terminal.h"

namespace plumb {
namespace {

class TerminalScreen final : public Screen {
 public:
  explicit TerminalScreen(FullScreen screen) : screen_(std::move(screen)) {}

  std::size_t columns() const override { return screen_.size().columns; }
  std::size_t rows() const override { return screen_.size().rows; }
  std::string keys() override { return screen_.keys(); }
  bool stale() const override { return screen_.stale(); }
  Result<void> show(std::string_view frame) override { return screen_.show(frame); }
  int key_fd() const override { return screen_.key_fd(); }

 private:
  FullScreen screen_;
};

class PlainScreen final : public Screen {
 public:
  explicit PlainScreen(Output& output) : output_(output) {}

  std::size_t columns() const override {
    if (output_.is_terminal()) return terminal_size(STDOUT_FILENO).columns;
    return static_cast<std::size_t>(-1);  // lines are as long as they need
  }
  std::size_t rows() const override { return 0; }
  Result<void> show(std::string_view frame) override {
    if (output_.caught_up()) output_.buffer().append(frame).append("\n");  // else the reader misses this one
    return output_.write_out();
  }

 private:
  Output& output_;
};

}  // namespace

Result<LiveTable> LiveTable::open(const ToolInfo& info, Tool& tool, const CommonOptions& options,
                                  Output& output, const ClockSource& clock) {
  LiveTable live;
  if (output.is_terminal() && !options.once) {
    auto screen = FullScreen::enter();
    if (!screen) return std::move(screen).error();
    auto terminal = std::make_unique<TerminalScreen>(*std::move(screen));
    live.screen_ = std::move(terminal);
  } else {
    live.screen_ = std::make_unique<PlainScreen>(output);
  }
  TopStyle style{.title = std::string(info.name),
                 .interval_ns = options.interval_ns,
                 .color = use_color(options.color, output.is_terminal()),
                 .counted = tool.counted_types(),
                 .once = options.once,
                 .replay = options.from.has_value(),
                 .port_names = options.port_names ? port_names() : nullptr};
  auto group = groups_of(info, tool, options);
  if (!group) return std::move(group).error();
  style.group = *std::move(group);
  live.sink_ = tool.make_top(*live.screen_, clock, style);
  if (live.sink_ == nullptr) live.sink_ = make_top_sink(*info.schema, *live.screen_, clock, std::move(style));
  live.top_ = live.sink_.get();
  return live;
}

LiveTable::LiveTable(LiveTable&&) noexcept = default;
LiveTable::~LiveTable() = default;

std::unique_ptr<Sink> LiveTable::take_sink() {
  return std::move(sink_);
}

const std::string& LiveTable::last_frame() const {
  return top_->last_frame();
}

int LiveTable::key_fd() const {
  return screen_->key_fd();
}

}  // namespace plumb
