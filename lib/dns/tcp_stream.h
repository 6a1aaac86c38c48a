// DNS over TCP (RFC 1035, section 4.2.2; RFC 7766): each message behind its length in two bytes, messages back to back,
// cut into segments anywhere. TcpStream puts one direction of one connection together by sequence numbers, whatever the
// order in which segments are seen and however often, and gives the messages out. Bounded: at most kMaxHeld bytes wait
// for a hole to be filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace plumb::dns {

class TcpStream {
 public:
  static constexpr std::size_t kMaxHeld = 128 * 1024;
  static constexpr std::size_t kMaxSegments = 64;

  // A SYN: the stream begins, with the byte after `sequence`. A connection that had the same ends before is over.
  void begin(std::uint32_t sequence);
  // A segment's payload. The first one without a SYN (the connection is older than the trace) is taken to begin with a
  // message; where that cannot be, the next one is tried.
  void add(std::uint32_t sequence, std::span<const std::byte> payload);
  // The next whole message, without its length; valid until the next call of any other function.
  std::optional<std::span<const std::byte>> next();
  // As if nothing had been seen; buffers stay.
  void reset();

  // Bytes of memory in use, for a caller that holds many streams to a budget.
  std::size_t memory() const { return buffer_.capacity() + held_memory_; }
  // Times that bytes were missing for good, so that a message or more went by unseen.
  std::uint64_t gaps() const { return gaps_; }

 private:
  struct Segment {
    std::uint32_t sequence;
    std::vector<std::byte> bytes;
  };
  void append(std::span<const std::byte> bytes);
  void hold(std::uint32_t sequence, std::span<const std::byte> payload);
  void take_held();
  void skip_hole();

  std::vector<std::byte> buffer_;  // in order; messages from start_ on
  std::size_t start_ = 0;
  std::vector<Segment> held_;  // the first held_count_ are in use; the rest keep their memory
  std::size_t held_count_ = 0;
  std::size_t held_bytes_ = 0;
  std::size_t held_memory_ = 0;  // capacities
  std::uint32_t expected_ = 0;
  bool begun_ = false;  // expected_ means something
  bool sure_ = false;   // a message is known to begin at start_
  std::uint64_t gaps_ = 0;
};

}  // namespace plumb::dns
