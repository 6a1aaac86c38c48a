// Differences of two profiles: names, and statistics that neither cry wolf nor sleep.
#include "profile/diff.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "sample_profile.h"

using namespace plumb;
using namespace plumb::profile;

namespace {

using Random = std::mt19937_64;

// A program of 200 functions: "f0" has the share asked for, the others fall off as 1 / n. From run to run each function's
// time differs by kRunToRun.
Profile run(Random& random, std::uint64_t samples, double share, double slowdown = 1) {
  constexpr int kFunctions = 200;
  std::vector<double> weights{share * slowdown};
  double sum = 0;
  for (int i = 1; i < kFunctions; ++i) sum += 1.0 / i;
  for (int i = 1; i < kFunctions; ++i) weights.push_back((1 - share) / i / sum);
  std::normal_distribution<double> noise(0, kRunToRun);
  double left = 0;
  for (double& w : weights) left += w *= std::exp(noise(random));
  Profile p;
  for (int i = 0; i < kFunctions && samples > 0; ++i) {
    const double part = std::min(1.0, weights[static_cast<std::size_t>(i)] / left);
    std::binomial_distribution<std::uint64_t> draw(samples, i + 1 == kFunctions ? 1.0 : part);
    const std::uint64_t count = draw(random);
    left -= weights[static_cast<std::size_t>(i)];
    samples -= count;
    if (count != 0) add_stack(p, {"main", i % 7 == 0 ? "sevens" : "others", "f" + std::to_string(i)}, count);
  }
  return p;
}

const FunctionChange& function(const Diff& diff, std::string_view name) {
  for (const FunctionChange& f : diff.functions) {
    if (f.name == name) return f;
  }
  FAIL("no function " << name);
  return diff.functions.front();
}

Profile one(const std::vector<std::pair<std::string, std::uint64_t>>& functions) {
  Profile p;
  for (const auto& [name, count] : functions) add_stack(p, {"main", name}, count);
  return p;
}

std::string name_in(std::string_view folded) {
  const auto p = read_folded(bytes_of(folded));
  REQUIRE(p.ok());
  return comparable_name(*p, p->frame_of(p->sample(0).frames.back()));
}

}  // namespace

TEST_CASE("statistics: quantiles of the normal distribution") {
  CHECK(normal_quantile(0.5) == doctest::Approx(0).epsilon(1e-9));
  CHECK(normal_quantile(0.025) == doctest::Approx(1.959964));
  CHECK(normal_quantile(1e-6) == doctest::Approx(4.753424));
}

TEST_CASE("statistics: a function alone that gets 10 % slower changes by 10 %, whatever its share") {
  for (const double share : {0.001, 0.1, 0.5, 0.99}) {
    const double after = 1.1 * share / (1 + 0.1 * share);
    CHECK(change_of({share, 1e9}, {after, 1e9}, 2).change == doctest::Approx(0.1));
  }
}

TEST_CASE("statistics: intervals narrow with samples, down to what runs differ by") {
  double width = 1e9;
  for (const double n : {1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}) {
    const Interval i = change_of({0.3, n}, {0.3, n}, 2);
    CHECK(i.low < 0);
    CHECK(i.high > 0);
    CHECK(i.high - i.low < width);
    width = i.high - i.low;
  }
  CHECK(width == doctest::Approx(2 * 2 * std::sqrt(2) * kRunToRun).epsilon(0.01));
}

TEST_CASE("statistics: new, vanished, never there, everything") {
  const Interval fresh = change_of({0, 1000}, {0.05, 1000}, 3.5);
  CHECK(std::isinf(fresh.change));
  CHECK(fresh.low > 0);
  const Interval few = change_of({0, 1000}, {0.005, 1000}, 3.5);  // 5 samples
  CHECK(few.low < 0);
  const Interval gone = change_of({0.05, 1000}, {0, 1000}, 3.5);
  CHECK(gone.change == -1);
  CHECK(gone.high < 0);
  CHECK(std::isinf(change_of({0, 1000}, {0, 1000}, 2).high));
  CHECK(change_of({1, 1000}, {1, 1000}, 2).high == 0);
  CHECK(std::isinf(change_of({0.5, 0}, {0.5, 1000}, 2).high));
}

TEST_CASE("diff: addresses, offsets, clones and hashes are not compared") {
  CHECK(name_in("f+0x12 1") == "f");
  CHECK(name_in("f_[k] 1") == "f");
  CHECK(name_in("f.isra.0 1") == "f");
  CHECK(name_in("f.constprop.12.cold 1") == "f");
  CHECK(name_in("f.llvm.1234567 1") == "f");
  CHECK(name_in("main.go.func 1") == "main.go.func");
  CHECK(name_in("runtime.f.1 1") == "runtime.f.1");
  CHECK(name_in("core::fmt::write::h0123456789abcdef 1") == "core::fmt::write");
  CHECK(name_in("libz.so.1+0x1234 1") == "[libz.so.1]");
  CHECK(name_in("0x7f0012 1") == "[unknown]");
  CHECK(name_in(".cold 1") == ".cold");
}

TEST_CASE("diff: recursion counts once, self is the last frame") {
  Profile p;
  add_stack(p, {"main", "f", "g", "f"}, 10);
  add_stack(p, {"main"}, 10);
  const Diff d = compare(p, p);
  CHECK(function(d, "f").total.before.share == doctest::Approx(0.5));
  CHECK(function(d, "f").self.after.share == doctest::Approx(0.5));
  CHECK(function(d, "g").self.after.share == 0);
  CHECK(function(d, "main").total.after.share == 1);
}

TEST_CASE("diff: three verdicts") {
  const Profile before = one({{"a", 30'000}, {"b", 60'000}, {"c", 9'980}, {"rare", 20}});
  const Profile after = one({{"a", 36'000}, {"b", 60'000}, {"c", 9'980}, {"rare", 22}});
  const Diff d = compare(before, after);
  CHECK(function(d, "a").self.verdict == ChangeVerdict::more);
  CHECK(function(d, "b").self.verdict == ChangeVerdict::not_more);
  CHECK(function(d, "rare").self.verdict == ChangeVerdict::inconclusive);
  CHECK(d.verdict == ChangeVerdict::more);
  CHECK(d.functions.front().name == "a");
  CHECK(compare(one({{"a", 5}}), one({{"a", 5}, {"b", 1}})).verdict == ChangeVerdict::inconclusive);
  CHECK(compare(Profile(), Profile()).verdict == ChangeVerdict::inconclusive);
  CHECK(compare(before, before).verdict == ChangeVerdict::not_more);
}

TEST_CASE("diff: new and vanished functions") {
  const Diff d = compare(one({{"old", 500}, {"rest", 500}}), one({{"new", 500}, {"rest", 500}}));
  CHECK(function(d, "new").self.is_new());
  CHECK(function(d, "new").self.verdict == ChangeVerdict::more);
  CHECK(function(d, "old").self.vanished());
  CHECK(function(d, "old").self.verdict == ChangeVerdict::not_more);
  // Too few samples to test: told as they were seen.
  const Diff few =
      compare(one({{"old", 3}, {"less", 6}, {"rest", 5000}}), one({{"new", 3}, {"less", 1}, {"rest", 5000}}));
  CHECK(std::isinf(function(few, "new").self.interval.change));
  CHECK(function(few, "old").self.interval.change == -1);
  CHECK(function(few, "less").self.interval.change == doctest::Approx(-5.0 / 6).epsilon(0.01));
  for (const char* name : {"new", "old", "less"}) {
    CHECK(function(few, name).self.verdict == ChangeVerdict::inconclusive);
    CHECK(function(few, name).self.interval.low == -1);
  }
}

TEST_CASE("diff: 100 comparisons of a program with itself give at most 5 \"more\"") {
  for (const std::uint64_t samples : {300, 2'000, 20'000, 1'000'000}) {
    Random random(20261128 + samples);
    int more = 0;
    for (int i = 0; i < 100; ++i) {
      if (compare(run(random, samples, 0.3), run(random, samples, 0.3)).verdict == ChangeVerdict::more)
        ++more;
    }
    CHECK_MESSAGE(more <= 5, samples << " samples: " << more);
  }
}

TEST_CASE("diff: a function that is 10 % slower is found in 95 of 100, among all functions") {
  // Samples a side for a function with 30 % of the time, and with 10 %.
  for (const auto& entry : {std::pair(0.3, 40'000), std::pair(0.1, 80'000)}) {
    const auto share = entry.first;
    const auto samples = entry.second;  // no structured binding: a lambda takes it
    Random random(7);
    int found = 0;
    for (int i = 0; i < 100; ++i) {
      const Diff d = compare(run(random, static_cast<std::uint64_t>(samples), share),
                             run(random, static_cast<std::uint64_t>(samples), share, 1.1));
      if (function(d, "f0").self.verdict == ChangeVerdict::more) ++found;
    }
    CHECK_MESSAGE(found >= 95, "share " << share << ", " << samples << " samples: " << found);
  }
}

TEST_CASE("diff: asked for by name, 10 % slower is found with fewer samples, and the same is rarely more") {
  const double z = normal_quantile(0.01);
  for (const auto& entry : {std::pair(0.3, 20'000), std::pair(0.1, 45'000)}) {
    const auto share = entry.first;
    const auto samples = entry.second;  // no structured binding: a lambda takes it
    Random random(11);
    int found = 0, wrong = 0;
    for (int i = 0; i < 100; ++i) {
      const auto n = static_cast<std::uint64_t>(samples);
      const Profile before = run(random, n, share);
      if (compare(before, run(random, n, share, 1.1)).of("f0", false, z).interval.low > 0) ++found;
      if (compare(before, run(random, n, share)).of("f0", false, z).interval.low > 0) ++wrong;
    }
    CHECK_MESSAGE(found >= 95, "share " << share << ", " << samples << " samples: " << found);
    CHECK_MESSAGE(wrong <= 5, "share " << share << ": " << wrong);
  }
}

TEST_CASE("diff: weights that are no counts") {
  const auto weights = [](std::uint64_t unit) {
    Profile p;
    add_stack(p, {"a"}, 30 * unit);
    add_stack(p, {"b"}, 70 * unit);
    return p;
  };
  // 100 samples of 10 ms, folded in nanoseconds: the common divisor is the period.
  const Diff period = compare(weights(10'000'000), weights(10'000'000));
  CHECK(!period.before_uncounted);
  CHECK(function(period, "a").self.before.samples < 1000);
  // Microseconds blocked: nobody knows how often.
  Profile odd;
  add_stack(odd, {"a"}, 123'456'789);
  add_stack(odd, {"b"}, 987'654'321);
  const Diff unknown = compare(odd, odd);
  CHECK(unknown.before_uncounted);
  CHECK(unknown.verdict == ChangeVerdict::inconclusive);
  // Counts known, weights uneven: one sample of half the weight does not make the interval narrow.
  Profile heavy({.unit = Unit::nanoseconds});
  const FrameId a[] = {heavy.frame({.function = "a"})}, b[] = {heavy.frame({.function = "b"})};
  heavy.add({.frames = a, .count = 1, .value = 1'000'000});
  heavy.add({.frames = b, .count = 10'000, .value = 1'000'000});
  CHECK(function(compare(heavy, heavy), "a").self.before.samples < 5);
}

TEST_CASE("diff: by name means arguments or not") {
  const Profile p = one({{"crc32(unsigned char const*)", 10}, {"crc32(int)", 10}, {"crc32c", 20}});
  const Diff d = compare(p, p);
  CHECK(d.of("crc32", false, 2).before.share == doctest::Approx(0.5));
  CHECK(d.of("crc32(int)", false, 2).before.share == doctest::Approx(0.25));
  CHECK(std::isinf(d.of("none", false, 2).interval.high));
}

TEST_CASE("diff svg: new and vanished stacks both show") {
  const Profile before = one({{"old", 500}, {"rest", 500}}), after = one({{"fresh", 500}, {"rest", 500}});
  const std::string svg = written([&](Bytes& out) { return write_diff_svg(before, after, {}, out); });
  CHECK(svg.find("before 0.00 %, after 50.00 %, +50.00 points, new") != std::string::npos);
  CHECK(svg.find("before 50.00 %, after 0.00 %, -50.00 points, vanished") != std::string::npos);
  CHECK(svg.find("more than before") != std::string::npos);
  const std::string empty =
      written([&](Bytes& out) { return write_diff_svg(Profile(), Profile(), {}, out); });
  CHECK(empty.ends_with("</svg>\n"));
}
