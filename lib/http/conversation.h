// The two byte streams of one connection, turned into exchanges: what was asked, what was answered, and when.
//
// Both directions come in pieces, in the order in which the system calls ended; each piece has a time, bytes
// from its beginning and from its end, and a count of those between that were not captured (bodies mostly are
// not). The first bytes tell whether it is HTTP/1 or HTTP/2, and who asks. A connection that is older than
// the trace is picked up at the next message that begins; what was under way is not told, for its beginning
// is not known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "http/exchange.h"
#include "http/fields.h"

namespace plumb::http {

// Seen from the process that owns the connection.
enum class Direction : std::uint8_t { sent, received };
enum class Role : std::uint8_t { unknown, client, server };

inline Direction opposite(Direction d) {
  return d == Direction::sent ? Direction::received : Direction::sent;
}

struct Piece {
  BootTime time;
  Direction direction = Direction::sent;
  std::span<const std::byte> head;
  std::uint64_t gap = 0;
  std::span<const std::byte> tail;
  bool first = false;  // nothing went in this direction before
  bool begins = true;  // a call began with it
  bool ends = true;    // a call ended with it
  std::uint32_t tid = 0;
};

// Which of the directions ended.
enum class End : std::uint8_t { sent, received, both };

// What could not be told, for the user to know.
struct Untold {
  std::uint64_t stray_bytes = 0;         // that fit nowhere in HTTP's framing
  std::uint64_t unpaired_responses = 0;  // without a request
  std::uint64_t dropped_requests = 0;    // more at one time than are kept of one connection
};

class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  // `exchange` is the callee's only until it returns.
  virtual void finished(const Exchange& exchange, Role role) = 0;
};

// Exchanges that are not in use, so that their texts' memory is used again.
class ExchangePool {
 public:
  std::unique_ptr<Exchange> take();
  void give_back(std::unique_ptr<Exchange> exchange);

 private:
  std::vector<std::unique_ptr<Exchange>> idle_;
};

// What the parts of all conversations share; outlives them.
struct Surroundings {
  ExchangeSink& sink;
  const Keep& keep;
  ExchangePool pool = {};
  Untold untold = {};
};

// A protocol that is known: HTTP/1 or HTTP/2.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual void take(const Piece& piece) = 0;
  virtual void ended(End end, Failure failure, BootTime time) = 0;
  // Pieces are missing here.
  virtual void missed(BootTime time) = 0;
  virtual Role role() const = 0;
  // Requests under way.
  virtual std::size_t open() const = 0;
};

class Conversation {
 public:
  explicit Conversation(Surroundings& surroundings) : surroundings_(&surroundings) {}
  ~Conversation();

  void take(const Piece& piece);
  // `failure`: closed, reset, timed_out. What was under way ends with it.
  void ended(End end, Failure failure, BootTime time);
  void missed(BootTime time);
  // The trace ends, or this conversation is given up.
  void finish(Failure failure, BootTime time) { ended(End::both, failure, time); }

  Role role() const;
  std::size_t open() const;

 private:
  // A piece from before the protocol was known.
  struct Early {
    Piece piece;
    std::vector<std::byte> bytes;
  };
  bool decide(Direction direction, std::span<const std::byte> prefix, bool first);
  void keep_early(const Piece& piece);
  void start_http2(Direction requester, bool requester_known, bool joined);
  void give_to_engine(const Piece& piece);

  Surroundings* surroundings_;
  std::unique_ptr<Engine> engine_;
  std::vector<Early> early_;
  bool foreign_ = false;  // no HTTP
};

}  // namespace plumb::http
