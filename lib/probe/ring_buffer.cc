#include "probe/ring_buffer.h"

#include <cerrno>

#include "probe/skeleton.h"

namespace plumb {

int RingBuffer::on_record(void* state, void* data, std::size_t size) {
  auto* s = static_cast<State*>(state);
  ++s->records;
  const bool go_on = s->callback(s->context, {static_cast<const std::byte*>(data), size});
  return go_on ? 0 : -ECANCELED;
}

Result<RingBuffer> RingBuffer::open(int map_fd, Callback callback, void* context) {
  RingBuffer ring;
  ring.state_ = std::make_unique<State>(State{callback, context, 0});
  ring.ring_.reset(ring_buffer__new(map_fd, &RingBuffer::on_record, ring.state_.get(), nullptr));
  if (ring.ring_ == nullptr) return bpf_error("cannot map the ring buffer", errno);
  return ring;
}

Result<std::size_t> RingBuffer::drain() {
  state_->records = 0;
  const int n = ring_buffer__consume(ring_.get());
  if (n < 0 && n != -ECANCELED) return bpf_error("cannot read the ring buffer", -n);
  return state_->records;
}

}  // namespace plumb
