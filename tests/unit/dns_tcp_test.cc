#include "dns/tcp_stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "unit/dns_build.h"

using dns_build::Bytes;
using plumb::dns::TcpStream;

namespace {

Bytes framed(const Bytes& message) {
  Bytes out;
  return out.u16(static_cast<unsigned>(message.size())).raw(message);
}

// Three messages, pipelined.
std::vector<std::byte> three() {
  Bytes all;
  for (unsigned id = 1; id <= 3; ++id) all.raw(framed(dns_build::query(id, std::string(id * 7, 'n'))));
  return all.data();
}

void take(TcpStream& stream, std::string& ids) {
  while (const auto m = stream.next()) ids += static_cast<char>('0' + std::to_integer<int>((*m)[1]));
}

struct Segment {
  std::uint32_t at;
  std::size_t begin, end;
};

std::string run(std::uint32_t start, const std::vector<Segment>& segments, bool syn = true) {
  const auto bytes = three();
  TcpStream stream;
  std::string ids;
  if (syn) stream.begin(start - 1);
  for (const Segment& s : segments) {
    stream.add(start + s.at, std::span(bytes).subspan(s.begin, s.end - s.begin));
    take(stream, ids);
  }
  return ids;
}

Segment segment(std::size_t begin, std::size_t end) {
  return {static_cast<std::uint32_t>(begin), begin, end};
}

}  // namespace

TEST_CASE("dns tcp: split at each byte, the messages are the same") {
  const std::size_t size = three().size();
  for (const std::uint32_t start : {1U, 0xffffffffU, 0xfffffff0U}) {  // the numbers wrap around
    CAPTURE(start);
    CHECK(run(start, {segment(0, size)}) == "123");
    for (std::size_t cut = 1; cut < size; ++cut) {
      CAPTURE(cut);
      CHECK(run(start, {segment(0, cut), segment(cut, size)}) == "123");
      CHECK(run(start, {segment(cut, size), segment(0, cut)}) == "123");  // out of order
      CHECK(run(start, {segment(0, cut), segment(0, cut), segment(0, size)}) ==
            "123");                                                              // sent again, and longer
      CHECK(run(start, {segment(0, cut), segment(cut, size)}, false) == "123");  // no SYN was seen
    }
  }
}

TEST_CASE("dns tcp: byte by byte, forwards and backwards") {
  const std::size_t size = three().size();
  std::vector<Segment> bytes;
  for (std::size_t i = 0; i < size; ++i) bytes.push_back(segment(i, i + 1));
  CHECK(run(77, bytes) == "123");
  REQUIRE(size > TcpStream::kMaxSegments);
  std::reverse(bytes.end() - 60, bytes.end());
  CHECK(run(77, bytes) == "123");
}

TEST_CASE("dns tcp: any order and any overlap gives each message once") {
  const std::size_t size = three().size();
  std::mt19937 random(4711);
  for (int round = 0; round < 500; ++round) {
    std::vector<Segment> segments;
    for (std::size_t at = 0; at < size;) {
      const std::size_t end = std::min(size, at + 1 + random() % 20);
      segments.push_back(segment(at > 3 ? at - random() % 4 : at, end));
      if (random() % 3 == 0) segments.push_back(segments.back());
      at = end;
    }
    std::shuffle(segments.begin(), segments.end(), random);
    CAPTURE(round);
    CHECK(run(static_cast<std::uint32_t>(random()), segments) == "123");
  }
}

TEST_CASE("dns tcp: an older connection is joined where a message begins") {
  const auto bytes = three();
  TcpStream stream;
  std::string ids;
  // The end of some message first; it cannot be one.
  stream.add(1000, std::span(bytes).subspan(bytes.size() - 5));
  take(stream, ids);
  CHECK(ids.empty());
  stream.add(1005, bytes);
  take(stream, ids);
  CHECK(ids == "123");
}

TEST_CASE("dns tcp: a hole that is never filled is given up, and counted") {
  const auto bytes = three();
  TcpStream stream;
  stream.begin(0);
  std::string ids;
  std::uint32_t at = 1 + 50;  // 50 bytes are missing
  for (std::size_t i = 0; i <= TcpStream::kMaxSegments; ++i) {
    stream.add(at, bytes);
    at += static_cast<std::uint32_t>(bytes.size());
    take(stream, ids);
  }
  CHECK(stream.gaps() == 1);
  CHECK(ids.size() == 3 * (TcpStream::kMaxSegments + 1));
}

TEST_CASE("dns tcp: a new connection with the same ends") {
  const auto bytes = three();
  TcpStream stream;
  std::string ids;
  stream.begin(99);
  stream.add(100, std::span(bytes).first(10));
  stream.begin(5000);
  stream.begin(5000);  // its SYN at a second device
  stream.add(5001, bytes);
  take(stream, ids);
  CHECK(ids == "123");
}
