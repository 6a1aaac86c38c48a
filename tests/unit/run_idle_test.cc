#include "run/idle.h"

#include <doctest/doctest.h>

using namespace plumb;

TEST_CASE("a run is quiet once nothing came for a second") {
  constexpr std::uint64_t kMs = 1'000'000;
  pollfd probe{3, POLLIN, 0};
  Idle idle;
  idle.turned({5000 * kMs}, 7, {&probe, 1});
  CHECK_FALSE(idle.quiet({5999 * kMs}));
  idle.turned({5900 * kMs}, 7, {&probe, 1});
  CHECK(idle.quiet({6000 * kMs}));
  CHECK(idle.seen() == 7);

  idle.turned({6000 * kMs}, 8, {&probe, 1});  // an event
  CHECK_FALSE(idle.quiet({6900 * kMs}));
  CHECK(idle.quiet({7000 * kMs}));

  probe.revents = POLLIN;  // a record that is no event
  idle.turned({7000 * kMs}, 8, {&probe, 1});
  CHECK_FALSE(idle.quiet({7900 * kMs}));
}
