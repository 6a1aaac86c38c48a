// Gathers items into batches for the queue: one is handed over when it is full or old, and at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/clock.h"
#include "otlp/encoding.h"
#include "otlp/queue.h"

namespace plumb::otlp {

struct BatchLimits {
  std::size_t records = 512;
  std::size_t bytes = 1024 * 1024;
  std::int64_t delay_ns = 1'000'000'000;
};

class Batcher {
 public:
  // All outlive it.
  Batcher(Encoding& encoding, Queue& queue, const ClockSource& clock, BatchLimits limits)
      : encoding_(&encoding), queue_(&queue), clock_(&clock), limits_(limits) {}

  // `count` is what the collector counts it as: data points of a metric.
  template <class Item>
  void add(const Item& item, std::size_t count = 1) {
    if (batch_.count == 0) opened_ns_ = now_ns();
    encoding_->append(batch_.records, item);
    batch_.count += count;
    if (batch_.count >= limits_.records || batch_.records.size() >= limits_.bytes) hand_over();
  }
  void flush() {
    if (batch_.count != 0 && now_ns() - opened_ns_ >= limits_.delay_ns) hand_over();
  }
  void end() {
    if (batch_.count != 0) hand_over();
  }

 private:
  std::int64_t now_ns() const { return static_cast<std::int64_t>(clock_->boot().ns); }

  void hand_over() {
    const std::size_t usual = batch_.records.size();
    queue_->offer(std::exchange(batch_, {}));
    batch_.records.reserve(usual);
  }

  Encoding* encoding_;
  Queue* queue_;
  const ClockSource* clock_;
  BatchLimits limits_;
  Batch batch_;
  std::int64_t opened_ns_ = 0;
};

}  // namespace plumb::otlp
