#include "otlp/queue.h"

#include <utility>

namespace plumb::otlp {

void Queue::offer(Batch batch) {
  const std::lock_guard lock(mutex_);
  offered_ += batch.count;
  const bool room = records_ + batch.count <= most_records_ && bytes_ + batch.bytes() <= most_bytes_;
  if (!room && !batches_.empty()) {
    dropped_ += batch.count;
    return;
  }
  records_ += batch.count;
  bytes_ += batch.bytes();
  batches_.push_back(std::move(batch));
  changed_.notify_one();
}

std::optional<Batch> Queue::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !batches_.empty(); });
  if (batches_.empty()) return std::nullopt;
  Batch batch = std::move(batches_.front());
  batches_.pop_front();
  records_ -= batch.count;
  bytes_ -= batch.bytes();
  return batch;
}

void Queue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_one();
}

std::uint64_t Queue::offered() const {
  const std::lock_guard lock(mutex_);
  return offered_;
}

std::uint64_t Queue::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace plumb::otlp
