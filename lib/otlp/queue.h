// What waits to be sent: batches between the tracing thread, which never waits, and the sender's.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "otlp/config.h"

namespace plumb::otlp {

// Items of a resource that is not plumb's own.
struct OwnedItems {
  std::vector<Pair> owner;  // attributes that stand in place of plumb's, or beside them
  std::string items;
};

struct Batch {
  std::string records;  // encoded, one behind another
  std::size_t count = 0;
  std::string beside = {};  // Encoding::beside()
  std::vector<OwnedItems> owned = {};

  std::size_t bytes() const {
    std::size_t n = records.size() + beside.size();
    for (const OwnedItems& o : owned) {
      n += o.items.size();
      for (const Pair& p : o.owner) n += p.key.size() + p.value.size();
    }
    return n;
  }
};

class Queue {
 public:
  Queue(std::size_t most_records, std::size_t most_bytes)
      : most_records_(most_records), most_bytes_(most_bytes) {}

  // Takes the batch, or drops and counts it when there is no room. A batch that comes to an empty queue has
  // room whatever its size.
  void offer(Batch batch);
  // The oldest batch; waits for one. Nothing once the queue is closed and empty.
  std::optional<Batch> take();
  // Nothing more will be offered.
  void close();

  std::uint64_t offered() const;  // records, those dropped included
  std::uint64_t dropped() const;  // records

 private:
  const std::size_t most_records_;
  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> batches_;
  std::size_t records_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t offered_ = 0;
  std::uint64_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace plumb::otlp
