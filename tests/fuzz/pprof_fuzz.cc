// pprof files of any bytes, packed or not: every writer takes what is accepted, and pprof comes back with the same sums.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "profile/read.h"
#include "profile/write.h"

namespace {

using namespace plumb::profile;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Write>
std::string written(const Write& write) {
  std::string text;
  Bytes out([&](std::string_view part) {
    text += part;
    return plumb::Result<void>{};
  });
  require(write(out).ok());
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ReadLimits limits{.profile = {.frames = 4096, .samples = 4096, .stack_frames = 1 << 16, .depth = 256},
                          .unpacked_bytes = 1 << 20};
  const auto bytes = std::as_bytes(std::span(data, size));
  (void)read_profile(bytes, limits);
  const auto profile = read_pprof(bytes, limits);
  if (!profile.ok()) return 0;
  (void)written([&](Bytes& out) { return write_folded(*profile, {.root = Root::thread}, out); });
  (void)written([&](Bytes& out) { return write_json(*profile, out); });
  if (size % 16 == 0) {  // the slow ones now and then
    (void)written([&](Bytes& out) { return write_svg(*profile, {}, out); });
    (void)written([&](Bytes& out) { return write_speedscope(*profile, out); });
    (void)written([&](Bytes& out) { return write_firefox(*profile, out); });
  }
  const std::string packed = written([&](Bytes& out) { return write_pprof(*profile, out); });
  const auto again = read_pprof(std::as_bytes(std::span(packed)));
  require(again.ok());
  constexpr auto kMost = static_cast<std::uint64_t>(INT64_MAX);
  if (profile->total_value() <= kMost && profile->total_count() <= kMost) {
    require(again->total_value() == profile->total_value());
  }
  return 0;
}
