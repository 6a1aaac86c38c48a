// The readers: what the writers wrote, what other tools write, and what nobody should.
#include "profile/read.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <map>

#include "sample_profile.h"

using namespace plumb;
using namespace plumb::profile;

namespace {

std::string folded(const Profile& p, FoldedStyle style = {}) {
  return written([&](Bytes& out) { return write_folded(p, style, out); });
}
std::string pprof(const Profile& p) {
  return written([&](Bytes& out) { return write_pprof(p, out); });
}
Result<Profile> from(std::string_view text, const ReadLimits& limits = {}) {
  return read_profile(bytes_of(text), limits);
}
std::string gzip(std::string_view text) {
  z_stream z{};
  REQUIRE(::deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  ::deflateEnd(&z);
  return out;
}

}  // namespace

TEST_CASE("read folded: what was written comes back, byte for byte") {
  for (const Profile& p : {everything(), hostile(), Profile()}) {
    const std::string text = folded(p);
    const auto again = from(text);
    REQUIRE(again.ok());
    CHECK(again->total_value() == p.total_value());
    CHECK(folded(*again) == text);
  }
}

TEST_CASE("read folded: kinds and names that other tools write") {
  const auto p = from(
      "java;start_thread;Lfoo_[j];read_[k] 5\r\nperl;main;f (inlined);[unknown];0x7f12;libx.so.1+0x99;[x] 7.5\n\n  \nhas blank 1 2\n");
  REQUIRE(p.ok());
  REQUIRE(p->samples() == 3);
  const auto kind = [&](std::size_t s, std::size_t f) { return p->frame_of(p->sample(s).frames[f]).kind; };
  const auto function = [&](std::size_t s, std::size_t f) {
    return p->frame_of(p->sample(s).frames[f]).function;
  };
  CHECK(kind(0, 2) == FrameKind::jit);
  CHECK(function(0, 2) == "Lfoo");
  CHECK(kind(0, 3) == FrameKind::kernel);
  CHECK(kind(1, 2) == FrameKind::inlined);
  CHECK(function(1, 3).empty());
  CHECK(p->frame_of(p->sample(1).frames[4]).address == 0x7f12);
  CHECK(p->mapping_of(p->frame_of(p->sample(1).frames[5]).mapping).path == "libx.so.1");
  CHECK(kind(1, 6) == FrameKind::note);
  CHECK(p->sample(1).value == 7);
  CHECK(function(2, 0) == "has blank 1");
}

TEST_CASE("read folded: blanks at the end of a name are none of it") {
  const auto p = from("a ;b _[k]  3\n;c ; 4\n");
  REQUIRE(p.ok());
  CHECK(folded(*p) == "[unknown];c 4\na;b_[k] 3\n");
  const auto marked = from("a_[j] _[i] ;b_[k] 1\n");  // blanks hide no mark
  REQUIRE(marked.ok());
  CHECK(folded(*marked) == "a_[j]_[i];b_[k] 1\n");
}

TEST_CASE("read folded: what is no stack is named by its line") {
  for (const char* bad :
       {"a;b 1\nnothing here\n", "a 1\nb -3\n", "a 1\nb 99999999999999999999999\n", "a 1\nb 0x10\n"}) {
    const auto p = from(bad);
    REQUIRE(!p.ok());
    CHECK(p.error().what.starts_with("line 2 is no folded stack"));
  }
  CHECK(from("a\x1b[31m\n").error().what.find('\x1b') == std::string::npos);
  CHECK(from("").ok());
}

TEST_CASE("read pprof: what was written comes back") {
  const Profile p = everything();
  const auto again = from(pprof(p));
  REQUIRE(again.ok());
  CHECK(again->total_count() == 20);
  CHECK(again->total_value() == p.total_value());
  const Description &was = p.description(), &is = again->description();
  CHECK(is.event == was.event);
  CHECK(is.unit == was.unit);
  CHECK(is.period == was.period);
  CHECK(is.start == was.start);
  CHECK(is.duration == was.duration);
  CHECK(is.host == was.host);
  CHECK(is.command == was.command);
  CHECK(again->quality().lost == 3);
  CHECK(again->quality().rooted == 17);
  CHECK(again->quality().truncated == 1);
  CHECK(folded(*again, {.root = Root::thread}) == folded(p, {.root = Root::thread}));
  CHECK(written([&](Bytes& out) { return write_json(*again, out); }) ==
        written([&](Bytes& out) { return write_json(p, out); }));
  CHECK(pprof(*again) == pprof(*from(pprof(*again))));
  std::map<std::string_view, std::string_view> build_ids;
  for (MappingId m = 1; m < again->mappings(); ++m)
    build_ids[again->mapping_of(m).path] = again->mapping_of(m).build_id;
  CHECK(build_ids["/usr/bin/xz"] == "c0ffee01");
  bool line = false;
  for (FrameId f = 0; f < again->frames(); ++f)
    line = line || (again->frame_of(f).file == "xz/main.c" && again->frame_of(f).line == 211);
  CHECK(line);
}

TEST_CASE("read pprof: hostile names, nothing, and a count without a second value") {
  CHECK(from(pprof(hostile())).ok());
  CHECK(from(pprof(hostile()))->total_value() == 10);
  CHECK(from(pprof(Profile())).ok());
  Profile packets({.counted = "packets"});
  add_stack(packets, {"a"}, 5);
  const auto again = from(pprof(packets));
  REQUIRE(again.ok());
  CHECK(again->description().counted == "packets");
  CHECK(again->sample(0).count == 5);
}

TEST_CASE("read pprof: cut off anywhere it is an error or a shorter profile, never a crash") {
  const std::string whole = pprof(everything());
  for (std::size_t n = 0; n < whole.size(); ++n) (void)from(whole.substr(0, n));
  const auto plain = gunzip(bytes_of(whole), 1 << 20);
  REQUIRE(plain.ok());
  for (std::size_t n = 0; n < plain->size(); ++n)
    (void)read_pprof(bytes_of(std::string_view(*plain).substr(0, n)));
  CHECK(from(*plain).ok());  // without gzip
}

TEST_CASE("gzip: members one after the other, bombs, and what is cut off") {
  const std::string text = "a;b 1\n";
  CHECK(from(gzip(text) + gzip(text))->total_value() == 2);
  const std::string bomb = gzip(std::string(50 << 20, 'x'));
  CHECK(bomb.size() < 100'000);
  const auto refused = from(bomb, {.unpacked_bytes = 1 << 20});
  REQUIRE(!refused.ok());
  CHECK(refused.error().what.find("unpacks to more than 1 MB") != std::string::npos);
  CHECK(!from(gzip(text).substr(0, 15)).ok());
  CHECK(!from("\x1f\x8b").ok());
}

TEST_CASE("read: limits hold") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "f" + std::to_string(i) + " 1\n";
  const auto p = from(text, {.profile = {.frames = 100}});
  REQUIRE(p.ok());
  CHECK(p->total_value() == 1000);
  CHECK(p->frames() <= 101);
}
