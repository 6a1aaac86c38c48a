// The TCP connections that carry DNS: one TcpStream for each direction and place of sight. Bounded in number and in
// memory; what was not used for longest leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "dns/lookup.h"
#include "dns/slots.h"
#include "dns/tcp_stream.h"

namespace plumb::dns {

class Connections {
 public:
  static constexpr std::size_t kMaxStreams = 4096;
  static constexpr std::size_t kMaxMemory = std::size_t{32} << 20;

  Connections() : index_(kMaxStreams) {}

  struct Stream {
    TcpStream bytes;
    Owner owner;  // of its socket, from any packet that told
    std::uint32_t netns = 0;
    Direction direction = Direction::sent;
    Endpoint source;
    Endpoint destination;
    std::uint64_t hash = 0;
    SlotLinks links;
  };

  // Takes a segment in, and gives the stream to take messages from. Valid until the next call.
  Stream& add(const Sighting& segment);

  std::uint64_t gaps() const { return gaps_; }

 private:
  std::uint32_t find_or_add(const Sighting& segment);
  void forget_oldest(std::uint32_t but);

  std::deque<Stream> streams_;
  SlotIndex index_;
  SlotList by_use_;
  std::size_t memory_ = 0;
  std::uint64_t gaps_ = 0;
};

}  // namespace plumb::dns
