// --top: the live table on a terminal, or, where standard output is none, one table after another.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "run/common_options.h"
#include "run/tool.h"
#include "sink/output.h"
#include "sink/top.h"

namespace plumb {

class LiveTable {
 public:
  // Takes the terminal over until the LiveTable goes. `output` outlives it.
  // `clock` does too: that of the rows where they are saved ones.
  static Result<LiveTable> open(const ToolInfo& info, Tool& tool, const CommonOptions& options,
                                Output& output, const ClockSource& clock);
  LiveTable(LiveTable&&) noexcept;
  ~LiveTable();

  // The sink; it must not be used after the LiveTable.
  std::unique_ptr<Sink> take_sink();
  // The user asked to leave.
  bool quit() const { return top_->quit(); }
  // Once the sink has ended: what stays to be seen when the terminal has been given back; it outlives the LiveTable's
  // terminal, not the sink.
  const std::string& last_frame() const;
  // Readable when keys wait; -1: no keyboard.
  int key_fd() const;

 private:
  LiveTable() = default;

  std::unique_ptr<Screen> screen_;
  std::unique_ptr<TopSink> sink_;
  const TopSink* top_ = nullptr;
};

}  // namespace plumb
