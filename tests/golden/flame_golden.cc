#include <doctest/doctest.h>

#include <array>

#include "flame/event.h"
#include "golden.h"

using namespace plumb;

namespace {

void feed(Sink& sink) {
  const std::array<std::string_view, 4> frames{"_start", "main", "operator new(unsigned long)",
                                               "asm_exc_page_fault"};
  CHECK(sink.row(Row(kStackSchema, Stack{frames, 42, 42, "count", "cpu-clock", "xz", 4711})).ok());
  const std::array<std::string_view, 2> hostile{"evil\x1b[31m;name", "libfoo.so+0x1234"};
  CHECK(
      sink.row(Row(kStackSchema, Stack{hostile, 1, 1'500'000'000, "nanoseconds", "offcpu", "a\nb", 1})).ok());
  CHECK(sink.row(Row(kStackSchema, Stack{{}, 1, 1, "count", "cpu-clock", {}, 0})).ok());
  CHECK(sink.lost({{1'764'300'000'000'000'000}, 3, "no room left in the kernel's buffers"}).ok());
}

}  // namespace

TEST_CASE("flame stacks") {
  golden::compare_all("flame", kStackSchema, {1'764'300'000'000'000'000}, feed);
}
