// Gathers items into batches for the queue: one is handed over when it is full or old, and at the end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

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
    append(batch_.records, item, count);
  }
  // An item of another resource.
  template <class Item>
  void add_owned(const Item& item, std::span<const Attribute> owner) {
    if (batch_.count == 0) opened_ns_ = now_ns();
    append(owner.empty() ? batch_.records : items_of(owner), item, 1);
  }
  void flush() {
    if (batch_.count != 0 && now_ns() - opened_ns_ >= limits_.delay_ns) hand_over();
  }
  void end() {
    if (batch_.count != 0) hand_over();
  }

 private:
  std::int64_t now_ns() const { return static_cast<std::int64_t>(clock_->boot().ns); }

  template <class Item>
  void append(std::string& items, const Item& item, std::size_t count) {
    const std::size_t before = items.size();
    encoding_->append(items, item);
    bytes_ += items.size() - before;
    batch_.count += count;
    if (batch_.count >= limits_.records || bytes_ >= limits_.bytes) hand_over();
  }

  // Few owners share a batch: a search is quick.
  std::string& items_of(std::span<const Attribute> owner) {
    const auto same = [&](const OwnedItems& o) {
      return std::equal(owner.begin(), owner.end(), o.owner.begin(), o.owner.end(),
                        [](const Attribute& a, const Pair& p) {
                          return a.key == p.key && *std::get_if<std::string_view>(&a.value) == p.value;
                        });
    };
    const auto found = std::find_if(batch_.owned.begin(), batch_.owned.end(), same);
    if (found != batch_.owned.end()) return found->items;
    OwnedItems& made = batch_.owned.emplace_back();
    for (const Attribute& a : owner) {
      made.owner.push_back({std::string(a.key), std::string(*std::get_if<std::string_view>(&a.value))});
      bytes_ += made.owner.back().key.size() + made.owner.back().value.size();
    }
    return made.items;
  }

  void hand_over() {
    bytes_ = 0;
    const std::size_t usual = batch_.records.size();
    queue_->offer(std::exchange(batch_, {}));
    batch_.records.reserve(usual);
  }

  Encoding* encoding_;
  Queue* queue_;
  const ClockSource* clock_;
  BatchLimits limits_;
  Batch batch_;
  std::size_t bytes_ = 0;  // of it
  std::int64_t opened_ns_ = 0;
};

}  // namespace plumb::otlp
