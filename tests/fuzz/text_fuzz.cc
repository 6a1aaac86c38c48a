// What comes out of the two escapers must be safe whatever goes in.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "base/utf8.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Valid UTF-8, no control character, nothing that reorders the line.
void require_harmless(std::string_view text) {
  while (!text.empty()) {
    const plumb::Utf8Step step = plumb::decode_utf8(text);
    require(step.valid);
    require(step.code >= 0x20 && step.code != 0x7f && !(step.code >= 0x80 && step.code < 0xa0));
    require(!(step.code >= 0x202a && step.code <= 0x202e) && !(step.code >= 0x2066 && step.code <= 0x2069));
    text.remove_prefix(step.size);
  }
}

// The input with what is not UTF-8 replaced, by the other library.
std::string replaced(std::string_view text) {
  const std::string dumped =
      nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(dumped).get<std::string>();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  std::string json = "\"";
  plumb::append_json_escaped(json, text);
  json += '"';
  require_harmless(json);
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  require(parsed.is_string());
  require(parsed.get<std::string>() == replaced(text));

  std::string printable;
  const std::size_t columns = plumb::append_printable(printable, text);
  require_harmless(printable);
  require(columns == plumb::display_width(text));
  std::string again;
  plumb::append_printable(again, printable);
  require(again == printable);

  if (size < 64) (void)plumb::suggestions(text, {"tcpconnect", "latency_ms", text.substr(size / 2)});
  return 0;
}
