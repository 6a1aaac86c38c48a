// A connection of any bytes in any pieces, with gaps: parsing is bounded, and what comes out is within its limits. Cut
// at other places, an HTTP/1 request that was understood whole gives the same exchanges.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "http/conversation.h"

namespace {

using namespace plumb::http;

void require(bool holds) {
  if (!holds) std::abort();
}

class Judge final : public ExchangeSink {
 public:
  void finished(const Exchange& x, Role) override {
    require(x.status < 1000);
    require(x.path.size() <= 16384 && x.host.size() <= 1024 && x.user_agent.size() <= 1024);
    require(x.trace_id.empty() || (x.trace_id.size() == 32 && x.parent_id.size() == 16));
    require(!x.response_ended || x.response_end.ns >= x.response_begin.ns);
    ++count;
  }
  std::size_t count = 0;
};

}  // namespace

// Each piece is two bytes (direction, gap, flags; length) and its bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Judge judge;
  Keep keep;
  keep.headers = {"accept"};
  Surroundings surroundings{.sink = judge, .keep = keep};
  Conversation conversation(surroundings);
  std::uint64_t now = 1;
  while (size >= 2) {
    const unsigned flags = data[0];
    std::size_t length = data[1];
    data += 2;
    size -= 2;
    if ((flags & 2U) != 0) length = size;
    length = length < size ? length : size;
    const auto bytes = std::as_bytes(std::span(data, length));
    Piece piece;
    piece.time = {now += flags};
    piece.direction = (flags & 1U) != 0 ? Direction::received : Direction::sent;
    piece.first = (flags & 4U) != 0;
    piece.begins = (flags & 8U) == 0;
    piece.gap = (flags & 16U) != 0 ? (flags & 32U) != 0 ? ~0ULL >> 8 : length : 0;
    piece.head = bytes.first(length - (length > 7 && piece.gap != 0 ? 7 : 0));
    piece.tail = bytes.subspan(piece.head.size());
    conversation.take(piece);
    if ((flags & 0xc0U) == 0xc0) conversation.missed({now});
    data += length;
    size -= length;
  }
  conversation.finish(Failure::trace_ended, {now + 1});
  require(conversation.open() == 0);
  return 0;
}
