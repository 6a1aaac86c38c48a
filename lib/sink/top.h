// --top: rows grouped by the fields that the schema marks as group keys, redrawn in place, most important
// first. Pure: it draws text on a Screen, a seam that a terminal, a pipe and a test stand behind.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "event/field.h"
#include "sink/port_names.h"
#include "sink/sink.h"

namespace plumb {

class Screen {
 public:
  virtual ~Screen() = default;
  virtual std::size_t columns() const = 0;
  virtual std::size_t rows() const = 0;  // 0: endless, each frame stands below the last one
  virtual std::string keys() { return {}; }
  // Polls readable when keys wait; -1: there is no keyboard, or none any more.
  virtual int key_fd() const { return -1; }
  // What was shown last is gone or does not fit any more: draw at once.
  virtual bool stale() const { return false; }
  virtual Result<void> show(std::string_view frame) = 0;
};

struct TopStyle {
  std::string title;  // "tcpconnect"
  std::int64_t interval_ns = 1'000'000'000;
  bool color = false;
  std::vector<std::size_t> group;  // indexes of fields; empty: those that the schema marks
  TypeMask counted = kAllTypes;    // the types of rows that are counted; of others only sizes are taken
  bool once = false;               // nothing is shown before the end
  bool replay = false;             // the clock is that of the rows, and starts with the first
  std::shared_ptr<const PortNames> port_names = {};  // --names ports; nullptr: numbers
};

class TopSink : public Sink {
 public:
  // The user typed `q`: the trace shall end.
  virtual bool quit() const = 0;
  // Once ended: what a screen showed last, without the keys; empty where there is no screen.
  virtual const std::string& last_frame() const = 0;
};

// `screen` and `clock` outlive the sink.
std::unique_ptr<TopSink> make_top_sink(const Schema& schema, Screen& screen, const ClockSource& clock,
                                       TopStyle style);

}  // namespace plumb
