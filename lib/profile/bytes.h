// Where a writer's bytes go: a buffer that is handed on, some 64 KiB at a time, to whoever writes files.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace plumb::profile {

class Bytes {
 public:
  using Drain = std::function<Result<void>(std::string_view)>;
  explicit Bytes(Drain drain) : drain_(std::move(drain)) {}

  // Writers append here.
  std::string& buffer() { return buffer_; }
  // Hands on what waits when it has grown large.
  Result<void> maybe_drain() { return buffer_.size() >= kChunk ? drain() : Result<void>{}; }
  Result<void> drain() {
    auto result = drain_(buffer_);
    buffer_.clear();
    return result;
  }

 private:
  static constexpr std::size_t kChunk = 64 * 1024;
  Drain drain_;
  std::string buffer_;
};

}  // namespace plumb::profile
