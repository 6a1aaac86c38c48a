// DNS messages, TCP streams, resolv.conf and whole exchanges of any bytes: decoding is bounded, what is said of a message
// is printable text of known size, a stream cut anywhere gives the same messages, and the Matcher keeps its bounds. The
// first byte chooses what the rest is.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "dns/matcher.h"
#include "dns/message.h"
#include "dns/search_list.h"
#include "dns/tcp_stream.h"

namespace {

using namespace plumb;
using namespace plumb::dns;
using Bytes = std::span<const std::byte>;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_printable(std::string_view text) {
  for (const char c : text) require(c >= 0x20 && c < 0x7f);
}

void message(Bytes bytes) {
  static Message m;
  const Decoded d = m.decode(bytes);
  if (d == Decoded::bad) return;
  require(m.cut() == (d == Decoded::cut));
  require(m.answers().size() == m.ttls().size() && m.answers().size() <= m.answer_count());
  require(m.name().size() <= 4 * 255 && m.has_question() == !m.name().empty());
  require_printable(m.name());
  std::size_t text = 0;
  for (const std::string_view answer : m.answers()) {
    require_printable(answer);
    require(!answer.empty());
    text += answer.size();
  }
  require(text <= Message::kMaxText + 4 * 65536);
  // What is whole, is so with no byte more than it needs; with less, the same answers come in front.
  const std::vector<std::string> answers(m.answers().begin(), m.answers().end());
  const std::string name(m.name());
  static Message part;
  for (std::size_t cut = bytes.size() > 64 ? bytes.size() - 64 : 0; cut < bytes.size(); ++cut) {
    if (part.decode(bytes.first(cut)) == Decoded::bad) continue;
    require(part.name() == name && part.answers().size() <= answers.size());
    for (std::size_t i = 0; i < part.answers().size(); ++i) require(part.answers()[i] == answers[i]);
  }
}

std::string stream(Bytes bytes, std::size_t cut, bool swapped) {
  TcpStream s;
  s.begin(0xfffffff0);
  std::string out;
  const auto add = [&](std::size_t begin, std::size_t end) {
    s.add(static_cast<std::uint32_t>(0xfffffff1 + begin), bytes.subspan(begin, end - begin));
    while (const auto m = s.next()) out += std::to_string(m->size()) + ",";
  };
  if (swapped) add(cut, bytes.size());
  add(0, cut);
  if (!swapped) add(cut, bytes.size());
  return out;
}

void streams(Bytes bytes) {
  const std::string whole = stream(bytes, bytes.size(), false);
  for (std::size_t cut = 0; cut < bytes.size() && cut < 64; ++cut) {
    require(stream(bytes, cut, false) == whole);
    require(stream(bytes, cut, true) == whole);
  }
}

void resolv_conf(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const ResolvConf conf = parse_resolv_conf(text);
  require(conf.search.size() <= kMaxSearch && conf.ndots <= 15);
  std::vector<std::string_view> wanted;
  wanted_names(text.substr(0, 64), conf, wanted);
  require(!wanted.empty() && wanted.size() <= conf.search.size() + 1);
  SearchFolder folder;
  folder.missed(1, text.substr(0, 32), {1});
  (void)folder.asked(1, text.substr(0, 48), conf, {2});
}

// Pieces of up to 255 bytes, each with a byte that says how it travels.
void exchange(Bytes bytes) {
  Matcher::Options options;
  options.max_lookups = 16;
  options.server = true;
  Matcher matcher(options);
  const std::uint8_t any[4] = {10, 0, 0, 1};
  Owner owner;
  std::uint64_t now = 1;
  const auto drain = [&] {
    while (const Lookup* l = matcher.next()) {
      require(l->attempts > 0 && l->asked.ns <= now);
      require(l->outcome != Outcome::answered || l->answered.has_value());
    }
    require(matcher.size() <= 16);
  };
  while (bytes.size() > 2) {
    const auto how = std::to_integer<unsigned>(bytes[0]);
    const auto size = std::min<std::size_t>(bytes.size() - 2, std::to_integer<std::size_t>(bytes[1]));
    now += (how & 0xc0U) == 0xc0U ? 2'000'000'000 : 1000;
    owner.pid = how >> 6U;
    Sighting s;
    s.time = {now};
    s.direction = (how & 1U) != 0 ? Direction::received : Direction::sent;
    s.transport = (how & 2U) != 0 ? Transport::tcp : Transport::udp;
    s.socket = (how & 4U) != 0 ? 1 : 2;
    s.ifindex = how >> 5U;
    s.owner = &owner;
    s.source = {IpAddress::v4(any), static_cast<std::uint16_t>((how & 8U) != 0 ? 53 : 1024)};
    s.destination = {IpAddress::v4(any), static_cast<std::uint16_t>((how & 8U) != 0 ? 1024 : 53)};
    s.syn = how == 0xff;
    s.payload = bytes.subspan(2, size);
    s.length = static_cast<std::uint32_t>(size);
    matcher.see(s);
    if ((how & 16U) != 0) matcher.see(Pickup{{now}, s.socket, &owner, s.transport});
    matcher.advance({now});
    drain();
    bytes = bytes.subspan(2 + size);
  }
  matcher.finish();
  drain();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  constexpr void (*kParts[])(Bytes) = {message, streams, resolv_conf, exchange};
  kParts[data[0] % 4](bytes);
  return 0;
}
