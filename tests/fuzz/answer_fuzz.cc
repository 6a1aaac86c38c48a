// The answer of an HTTP server, in pieces of any size: memory stays bounded by what came, a status is one, and how the
// bytes are cut into pieces changes nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "otlp/http_answer.h"

namespace {

using plumb::otlp::HttpAnswer;

void require(bool holds) {
  if (!holds) std::abort();
}

HttpAnswer::State feed(HttpAnswer& answer, std::string_view bytes, std::size_t piece) {
  auto state = HttpAnswer::State::more;
  while (!bytes.empty() && state == HttpAnswer::State::more) {
    state = answer.put(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return state == HttpAnswer::State::more ? answer.closed() : state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  HttpAnswer whole;
  HttpAnswer cut;
  const auto state = feed(whole, bytes, bytes.size() + 1);
  require(feed(cut, bytes, 1 + data[0] % 64U) == state && state != HttpAnswer::State::more);
  require(whole.has_status() == cut.has_status());
  if (!whole.has_status()) return 0;
  const auto response = whole.response();
  require(response.status < 1000 && response.body.size() <= size);
  require(cut.response().body == response.body && cut.response().status == response.status);
  require(state == HttpAnswer::State::complete || response.body.empty());
  require(state == HttpAnswer::State::complete || !whole.keep_alive());
  return 0;
}
