// RingBuffer: the one owner of a BPF ring buffer's user side. Records live only inside the callback.
#pragma once

#include <bpf/libbpf.h>

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"

namespace plumb {

class RingBuffer {
 public:
  // Returns false to stop the drain early (the record counts as consumed).
  using Callback = bool (*)(void* context, std::span<const std::byte> record);

  // `context` is passed to each call and must outlive the RingBuffer.
  static Result<RingBuffer> open(int map_fd, Callback callback, void* context);

  // Consumes all that waits now. Returns the number of records.
  Result<std::size_t> drain();
  // A descriptor that polls readable when the kernel side asked for a wake-up.
  int poll_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

 private:
  struct State {
    Callback callback;
    void* context;
    std::size_t records;
  };
  struct Free {
    void operator()(ring_buffer* r) const { ring_buffer__free(r); }
  };
  static int on_record(void* state, void* data, std::size_t size);

  std::unique_ptr<State> state_;
  std::unique_ptr<ring_buffer, Free> ring_;
};

}  // namespace plumb
