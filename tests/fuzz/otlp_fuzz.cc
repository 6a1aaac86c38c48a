// What a collector answers, and endpoints and lists from the environment: nothing crashes, what is accepted
// keeps its promises, and text that is made valid is valid.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/utf8.h"
#include "otlp/config.h"
#include "otlp/encoding.h"
#include "otlp/exporter.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plumb;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const otlp::Source source{{{"service.name", "fuzz"}}, "1"};
  static const auto protobuf = otlp::make_protobuf_encoding(source);
  static const auto json = otlp::make_json_encoding(source);
  for (const bool success : {false, true}) {
    (void)protobuf->answer(text, success);
    (void)json->answer(text, success);
  }
  for (const bool base : {false, true}) {
    const auto endpoint = otlp::parse_endpoint(text, base);
    if (!endpoint) continue;
    require(!endpoint->host.empty() && !endpoint->port.empty() && endpoint->target.starts_with('/'));
    const auto again = otlp::parse_endpoint(
        (endpoint->tls ? "https://" : "http://") + endpoint->authority() + endpoint->target, false);
    require(again.ok() && again->text() == endpoint->text() && again->target == endpoint->target);
  }
  (void)otlp::parse_pairs(text);
  (void)otlp::retry_after_ns(text, {1'700'000'000'000'000'000});
  std::string scratch;
  std::string twice;
  const std::string_view valid = valid_utf8(text, scratch);
  require(valid_utf8(valid, twice).data() == valid.data());
  return 0;
}
