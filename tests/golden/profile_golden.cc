// One profile with something of everything, and one of hostile names, through every writer.
#include <doctest/doctest.h>

#include "golden.h"
#include "profile/diff.h"
#include "sample_profile.h"

using namespace plumb;
using namespace plumb::profile;

namespace {

void compare_all(const std::string& name, const Profile& p) {
  golden::compare(name + ".folded", written([&](Bytes& out) { return write_folded(p, {}, out); }));
  golden::compare(name + ".threads.folded", written([&](Bytes& out) {
                    return write_folded(p, {.root = Root::thread, .marks = false}, out);
                  }));
  golden::compare(name + ".svg", written([&](Bytes& out) { return write_svg(p, {}, out); }));
  golden::compare(name + ".icicle.svg", written([&](Bytes& out) {
                    return write_svg(p, {.title = "Title", .note = "note", .icicle = true, .width = 800},
                                     out);
                  }));
  golden::compare(name + ".speedscope.json", written([&](Bytes& out) { return write_speedscope(p, out); }));
  golden::compare(name + ".firefox.json", written([&](Bytes& out) { return write_firefox(p, out); }));
  golden::compare(name + ".json", written([&](Bytes& out) { return write_json(p, out); }));
  // Without gzip: versions of zlib may pack otherwise.
  const std::string packed = written([&](Bytes& out) { return write_pprof(p, out); });
  const auto plain = gunzip(bytes_of(packed), 1 << 20);
  REQUIRE(plain.ok());
  golden::compare(name + ".pb", *plain);
}

}  // namespace

TEST_CASE("profile") {
  compare_all("profile", everything());
}

TEST_CASE("profile of hostile names") {
  compare_all("profile-hostile", hostile());
}

TEST_CASE("difference of profiles") {
  Profile before, after;
  for (const auto& [name, b, a] :
       {std::tuple("same", 600, 600), {"slower", 200, 400}, {"old", 100, 0}, {"new", 0, 100}}) {
    if (b != 0) add_stack(before, {"main", name}, static_cast<std::uint64_t>(b));
    if (a != 0) add_stack(after, {"main", name}, static_cast<std::uint64_t>(a));
  }
  golden::compare("profile-diff.svg",
                  written([&](Bytes& out) { return write_diff_svg(before, after, {}, out); }));
}
