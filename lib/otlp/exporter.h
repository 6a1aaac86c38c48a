// Sends batches, one at a time, until the collector has taken or refused them, as the OTLP specification
// says: 429, 502, 503, 504 and no answer at all are tried again, other failures are final.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "otlp/encoding.h"
#include "otlp/queue.h"
#include "otlp/transport.h"

namespace plumb::otlp {

// Waiting, as the exporter does it; tests stand in.
class Pacer {
 public:
  virtual ~Pacer() = default;
  // Nanoseconds until everything has to be over; as good as endless while the run goes on.
  virtual std::int64_t left_ns() const = 0;
  // Waits. False, at once or later, when that would take longer than there is time left.
  virtual bool pause(std::int64_t ns) = 0;
  virtual UnixTime real() const = 0;
  virtual double random() = 0;  // evenly from [0, 1)
};

struct Progress {
  std::uint64_t delivered = 0;  // records
  std::uint64_t refused = 0;    // records, by an answer that is final or by a partial success
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;  // of those requests
  std::string problem;        // the last one: hostile bytes
  std::string hint;           // what to do about it; empty: nothing is known
};

class Exporter {
 public:
  static constexpr std::size_t kLongestRequest = std::size_t{64} << 20;  // OTLP: before compression, too

  // All outlive the exporter. `timeout_ns` is of one request.
  Exporter(Queue& queue, const Encoding& encoding, Transport& transport, Pacer& pacer,
           std::int64_t timeout_ns, bool gzip)
      : queue_(queue),
        encoding_(encoding),
        transport_(transport),
        pacer_(pacer),
        timeout_ns_(timeout_ns),
        gzip_(gzip) {}

  // Until the queue is closed and empty, or no time is left.
  void run();
  // What went wrong outside of it; the last that is said. Of any thread.
  void note(std::string problem);
  // Of any thread.
  Progress progress() const;

 private:
  // False when the time is up.
  bool deliver(const Batch& batch);
  void refuse(const Batch& batch, std::string problem, const char* hint);
  // How long to wait before the next try; nothing when the answer is final. Takes note of it.
  std::optional<std::int64_t> judge(const Result<Response>& answer, const Batch& batch, int attempt);
  std::int64_t backoff_ns(int attempt);

  Queue& queue_;
  const Encoding& encoding_;
  Transport& transport_;
  Pacer& pacer_;
  const std::int64_t timeout_ns_;
  const bool gzip_;
  mutable std::mutex mutex_;
  Progress progress_;
};

// Nanoseconds that a Retry-After asks to wait, from a number of seconds or an HTTP date (RFC 9110, section
// 10.2.3); nothing when it is neither.
std::optional<std::int64_t> retry_after_ns(std::string_view value, UnixTime now);

// RFC 1952.
std::string gzipped(std::string_view text);

}  // namespace plumb::otlp
