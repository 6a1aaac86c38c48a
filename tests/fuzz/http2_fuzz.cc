// Frames of any content from both sides of an HTTP/2 connection, in pieces of any size: bounded, nothing stays open at
// the end.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "http/conversation.h"
#include "http/http2.h"

namespace {

using namespace plumb::http;

void require(bool holds) {
  if (!holds) std::abort();
}

class Judge final : public ExchangeSink {
 public:
  void finished(const Exchange& x, Role role) override {
    require(x.protocol == Protocol::http2 || x.protocol == Protocol::http11 ||
            x.protocol == Protocol::http10 || x.protocol == Protocol::unknown);
    require(role != Role::unknown);
    require(x.status < 1000 && x.method.size() <= 32 && x.host.size() <= 1024);
  }
};

}  // namespace

// The first byte says how the connection is seen; then each piece is two bytes and its bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const bool joined = (data[0] & 1U) != 0;
  ++data;
  --size;
  Judge judge;
  const Keep keep;
  Surroundings surroundings{.sink = judge, .keep = keep};
  Conversation conversation(surroundings);
  std::uint64_t now = 1;
  const auto give = [&](Direction direction, std::span<const std::byte> bytes, std::uint64_t gap,
                        bool first) {
    conversation.take({.time = {++now}, .direction = direction, .head = bytes, .gap = gap, .first = first});
  };
  if (!joined) give(Direction::received, std::as_bytes(std::span(kPreface)), 0, true);
  bool first = !joined;
  while (size >= 2) {
    const unsigned flags = data[0];
    const std::size_t length = data[1] < size - 2 ? data[1] : size - 2;
    const bool received = (flags & 1U) != 0;
    give(received ? Direction::received : Direction::sent, std::as_bytes(std::span(data + 2, length)),
         (flags & 2U) != 0 ? flags : 0, first && !received);
    if (!received) first = false;
    data += 2 + length;
    size -= 2 + length;
  }
  conversation.finish(Failure::closed, {now + 1});
  require(conversation.open() == 0);
  return 0;
}
