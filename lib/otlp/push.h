// Everything behind --otlp for one signal: the sink, the queue, and the thread that sends.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "event/field.h"
#include "otlp/config.h"
#include "otlp/exporter.h"
#include "otlp/metric_sink.h"
#include "otlp/telemetry.h"
#include "sink/sink.h"

namespace plumb::otlp {

struct Tally {
  std::uint64_t offered = 0;      // records, all
  std::uint64_t delivered = 0;    //
  std::uint64_t queue_full = 0;   // dropped: more came than could be sent
  std::uint64_t refused = 0;      // by the collector
  std::uint64_t undelivered = 0;  // not sent when the time was up
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  std::uint64_t not_sampled = 0;  // requests whose trace is not sampled: they are not offered
  std::string problem;            // the last one, printable; empty: none
  std::string hint;               // what to do about it; empty: nothing is known

  std::uint64_t dropped() const { return queue_full + refused + undelivered; }
};

class Push {
 public:
  // Reads certificates, starts nothing yet.
  static Result<Push> open(const Config& config, const std::string& version);
  Push(Push&&) noexcept;
  Push& operator=(Push&&) = delete;
  ~Push();

  // The sink that feeds it. What is given outlives it, and it ends before the Push does. `telemetry` is needed for spans
  // and metrics; what became of the items of `all` is among the metrics.
  std::unique_ptr<Sink> make_sink(const Schema& schema, const std::string& tool, const Telemetry* telemetry,
                                  std::span<const Push> all = {});

  // One item that is not of a row, with what its request has beside it: a profile.
  void offer(const Describe& item, const Describe& beside);

  // Starts the thread, with all signals blocked. `prepare` is its first call: what it shall not keep, it
  // gives up there.
  Result<void> start(void (*prepare)());
  // Nothing more comes; the configured timeout begins.
  void close();
  // Waits until all is delivered, for the timeout at most; `notice` is called when that takes more than a second. A
  // thread that still hangs then, in a name lookup, is left behind.
  void finish(void (*notice)(const Config&));
  // After finish().
  Tally tally() const;
  const Config& config() const;

 private:
  struct State;
  explicit Push(std::shared_ptr<State> state);
  static std::vector<PushedItems> outcomes_of(std::span<const Push> all);
  std::shared_ptr<State> state_;  // the thread has a share: it may be left behind
  std::thread thread_;
};

}  // namespace plumb::otlp
