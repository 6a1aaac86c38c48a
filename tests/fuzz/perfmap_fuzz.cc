// Perf maps of any bytes give the same names in whatever pieces they come; names of any bytes can be demangled; Go's
// table of any bytes is searched within itself.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "symbol/demangle.h"
#include "symbol/go_table.h"
#include "symbol/perf_map.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<plumb::WantedName> search(std::string_view text, std::size_t piece) {
  std::vector<plumb::WantedName> wanted;
  for (std::uint64_t a = 0; a < 32; ++a) wanted.push_back({a * 0x10});
  plumb::PerfMapSearch s(wanted);
  for (std::size_t i = 0; i < text.size(); i += piece) s.feed(text.substr(i, piece));
  s.finish();
  return wanted;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = search(text, std::max<std::size_t>(size, 1));
  const auto bytewise = search(text, 1);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    require(whole[i].name == bytewise[i].name);
    require(whole[i].name.empty() || whole[i].start <= whole[i].address);
  }
  require(plumb::demangled(text.substr(0, 512)).size() <= 16'384 + 512);
  const auto bytes = std::as_bytes(std::span(data, size));
  const plumb::GoTable table(std::vector<std::byte>(bytes.begin(), bytes.end()), 0x1000);
  for (std::uint64_t a = 0; a < 8; ++a) {
    table.find(0x1000 + a * 0x20);
    table.stack_moved(0x1000 + a * 0x20);
  }
  return 0;
}
