// Folded stacks of any bytes: what is accepted is written and read again as the same, and never grows past its limits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "profile/diff.h"
#include "profile/read.h"
#include "profile/write.h"

namespace {

using namespace plumb::profile;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string folded(const Profile& profile) {
  std::string text;
  Bytes out([&](std::string_view part) {
    text += part;
    return plumb::Result<void>{};
  });
  require(write_folded(profile, {}, out).ok());
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto profile = read_folded(bytes);
  if (!profile.ok()) return 0;
  const std::string text = folded(*profile);
  const auto again = read_folded(std::as_bytes(std::span(text)));
  require(again.ok());
  require(again->total_value() == profile->total_value());
  require(folded(*again) == text);
  (void)compare(*profile, *again);
  const auto small =
      read_folded(bytes, {.profile = {.string_bytes = 64, .frames = 8, .samples = 8, .depth = 4}});
  require(small.ok() && small->total_value() == profile->total_value() && small->samples() <= 9);
  return 0;
}
