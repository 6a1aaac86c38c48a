#include "profile/diff.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

namespace plumb::profile {
namespace {

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}
bool is_number(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "f+0x12" -> "f": a function's offset.
void strip_offset(std::string_view& name) {
  const std::size_t plus = name.rfind("+0x");
  if (plus != std::string_view::npos && plus != 0 && is_hex(name.substr(plus + 3)))
    name = name.substr(0, plus);
}

// "f.isra.0.cold" -> "f": parts and copies of a function that GCC and LLVM make.
void strip_clones(std::string_view& name) {
  constexpr std::string_view kClones[] = {".cold", ".isra", ".constprop", ".part", ".llvm", ".lto_priv"};
  for (std::size_t dot = 0; (dot = name.rfind('.')) != std::string_view::npos && dot != 0;) {
    std::string_view ending = name.substr(dot);
    std::string_view rest = name.substr(0, dot);
    if (ending.size() > 1 &&
        is_number(ending.substr(1))) {  // ".isra.0": the number belongs to the word before it
      dot = rest.rfind('.');
      if (dot == std::string_view::npos || dot == 0) return;
      ending = rest.substr(dot);
      rest = rest.substr(0, dot);
    }
    if (std::ranges::find(kClones, ending) == std::end(kClones)) return;
    name = rest;
  }
}

// "core::fmt::write::h0123456789abcdef" -> "core::fmt::write": legacy mangling's hash of the crate's build.
void strip_rust_hash(std::string_view& name) {
  constexpr std::size_t kHash = 3 + 16;
  if (name.size() <= kHash) return;
  const std::string_view ending = name.substr(name.size() - kHash);
  if (ending.starts_with("::h") && is_hex(ending.substr(3))) name.remove_suffix(kHash);
}

// All there is to count of one side, by index into Diff::names.
class Counter {
 public:
  explicit Counter(Diff& diff) : diff_(diff) {}

  bool add(const Profile& profile, Diff::Side& side) {
    std::vector<std::size_t> functions(profile.frames());
    for (FrameId f = 0; f < functions.size(); ++f)
      functions[f] = index(comparable_name(profile, profile.frame_of(f)));
    const Counting counting = counting_of(profile);
    std::vector<std::size_t> seen_in(diff_.names.size());  // the last sample, from 1
    side.functions.resize(diff_.names.size());
    for (std::size_t i = 0; i < profile.samples(); ++i) {
      const Sample s = profile.sample(i);
      const auto weight = static_cast<double>(s.value);
      const double count =
          std::max(counting.divisor != 0 ? weight / counting.divisor : static_cast<double>(s.count), 1.0);
      const double squares = counting.spread * weight * weight / count;
      side.weight += weight;
      side.squares += squares;
      for (const FrameId f : s.frames) {
        const std::size_t at = functions[f];
        if (seen_in[at] == i + 1) continue;  // recursion
        seen_in[at] = i + 1;
        side.functions[at].total += weight;
        side.functions[at].total_squares += squares;
      }
      if (s.frames.empty()) continue;
      side.functions[functions[s.frames.back()]].self += weight;
      side.functions[functions[s.frames.back()]].self_squares += squares;
    }
    return counting.known;
  }

 private:
  // How samples follow from weights.
  struct Counting {
    bool known = true;
    double divisor = 0;  // weight of one sample; 0: Sample::count tells
    double spread = 1;   // of the square of a sample's weight, within samples of one stack
  };

  std::size_t index(std::string name) {
    const auto [at, added] = indexes_.try_emplace(std::move(name), diff_.names.size());
    if (added) diff_.names.push_back(at->first);
    return at->second;
  }

  // A folded file has weights alone. Up to kPlainCounts they are taken for samples. Beyond, a common divisor is the
  // period (nanoseconds of a sample); without one nobody knows how many samples they are.
  static Counting counting_of(const Profile& profile) {
    constexpr std::uint64_t kPlainCounts = 10'000'000, kSmallestPeriod = 1000;
    bool equal = true, proportional = true;
    std::uint64_t divisor = 0;
    double ratio = 0;
    for (std::size_t i = 0; i < profile.samples(); ++i) {
      const Sample s = profile.sample(i);
      if (s.count == 0) continue;
      equal = equal && s.count == s.value;
      divisor = std::gcd(divisor, s.value);
      const double r = static_cast<double>(s.value) / static_cast<double>(s.count);
      if (ratio == 0) ratio = r;
      proportional = proportional && std::abs(r - ratio) <= 1e-6 * ratio;
    }
    if (equal && profile.total_value() > kPlainCounts) {
      if (divisor >= kSmallestPeriod) return {.divisor = static_cast<double>(divisor)};
      return {.known = false};
    }
    // Weights that differ from sample to sample (times blocked, bytes): within a stack they spread too, for all that is
    // known like an exponential distribution, whose mean square is twice its squared mean.
    return {.spread = proportional ? 1.0 : 2.0};
  }

  Diff& diff_;
  std::unordered_map<std::string, std::size_t> indexes_;
};

// The share of `weight`, and the number of equal samples that would tell it as exactly: p (1 - p) over the variance of p
// as a ratio of sums of weights (delta method).
Observed observed(double weight, double squares, const Diff::Side& side) {
  if (side.weight <= 0 || side.squares <= 0) return {};
  const double all = side.weight * side.weight / side.squares;
  const double p = std::clamp(weight / side.weight, 0.0, 1.0);
  if (p <= 0 || p >= 1) return {p, all};
  const double rest = std::max(side.squares - squares, 0.0);
  const double variance = ((1 - p) * (1 - p) * squares + p * p * rest) / (side.weight * side.weight);
  return {p, variance > 0 ? p * (1 - p) / variance : all};
}

double samples_in(const Change& c) {
  return c.before.share * c.before.samples + c.after.share * c.after.samples;
}

ChangeVerdict verdict_of(const Interval& i, bool counted) {
  if (!counted) return ChangeVerdict::inconclusive;
  if (i.low > 0) return ChangeVerdict::more;
  return i.high <= kMargin ? ChangeVerdict::not_more : ChangeVerdict::inconclusive;
}

bool is_leaf(const FunctionChange& f) {
  return f.self.before.share == f.total.before.share && f.self.after.share == f.total.after.share;
}

// How much of the level a comparison gets. By both sides together, which says nothing about how they differ.
double part_of_level(const Change& c) {
  if (samples_in(c) < kLeastSamples) return 0;
  const double p = samples_in(c) / (c.before.samples + c.after.samples);
  return std::sqrt(p * std::max(1 - p, 1e-4));
}

void test_all(Diff& diff) {
  double parts = 0;
  for (const FunctionChange& f : diff.functions)
    parts += part_of_level(f.self) + (is_leaf(f) ? 0 : part_of_level(f.total));
  const bool counted = !diff.before_uncounted && !diff.after_uncounted;
  for (FunctionChange& f : diff.functions) {
    for (Change* c : {&f.self, &f.total}) {
      const double part = part_of_level(*c);
      // Below the least samples the change is told as it was seen, and anything may be behind it.
      c->interval = {-1, change_of(c->before, c->after, 1).change, std::numeric_limits<double>::infinity()};
      if (part <= 0) continue;
      c->interval = change_of(c->before, c->after, normal_quantile(kFamilyLevel * part / parts));
      c->verdict = verdict_of(c->interval, counted);
    }
  }
}

void judge(Diff& diff) {
  test_all(diff);
  constexpr double kLarge = 0.01;
  diff.verdict = ChangeVerdict::not_more;
  bool any = false;
  for (const FunctionChange& f : diff.functions) {
    for (const Change* c : {&f.self, &f.total}) {
      if (c->verdict == ChangeVerdict::more) diff.verdict = ChangeVerdict::more;
      if (std::max(c->before.share, c->after.share) < kLarge) continue;
      any = true;
      if (c->verdict == ChangeVerdict::inconclusive && diff.verdict != ChangeVerdict::more) {
        diff.verdict = ChangeVerdict::inconclusive;
      }
    }
  }
  if (!any && diff.verdict != ChangeVerdict::more) diff.verdict = ChangeVerdict::inconclusive;
}

}  // namespace

std::string_view name_of(ChangeVerdict verdict) {
  constexpr std::string_view kNames[] = {"more", "not more", "inconclusive"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::string comparable_name(const Profile& profile, const Frame& frame) {
  std::string_view name = frame.function;
  if (name.empty()) {
    const std::string_view module = module_name(profile.mapping_of(frame.mapping).path);
    if (module.empty()) return "[unknown]";
    return module.starts_with('[') ? std::string(module) : "[" + std::string(module) + "]";
  }
  strip_offset(name);
  strip_clones(name);
  strip_rust_hash(name);
  return std::string(name);
}

Diff compare(const Profile& before, const Profile& after) {
  Diff diff;
  diff.before_samples = before.total_count();
  diff.after_samples = after.total_count();
  Counter counter(diff);
  diff.before_uncounted = !counter.add(before, diff.sides[0]);
  diff.after_uncounted = !counter.add(after, diff.sides[1]);
  diff.sides[0].functions.resize(diff.names.size());
  for (std::size_t i = 0; i < diff.names.size(); ++i) {
    const Diff::Weights &b = diff.sides[0].functions[i], &a = diff.sides[1].functions[i];
    FunctionChange f{.name = diff.names[i]};
    f.self.before = observed(b.self, b.self_squares, diff.sides[0]);
    f.self.after = observed(a.self, a.self_squares, diff.sides[1]);
    f.total.before = observed(b.total, b.total_squares, diff.sides[0]);
    f.total.after = observed(a.total, a.total_squares, diff.sides[1]);
    if (f.total.before.share > 0 || f.total.after.share > 0) diff.functions.push_back(std::move(f));
  }
  judge(diff);
  std::ranges::sort(diff.functions, [](const FunctionChange& x, const FunctionChange& y) {
    const auto key = [](const FunctionChange& f) {
      return std::pair(-std::abs(f.self.after.share - f.self.before.share),
                       -std::abs(f.total.after.share - f.total.before.share));
    };
    return key(x) != key(y) ? key(x) < key(y) : x.name < y.name;
  });
  return diff;
}

namespace {

bool is_named(std::string_view function, std::string_view name) {
  return function == name || function.substr(0, function.find('(')) == name;
}

}  // namespace

bool Diff::has(std::string_view name) const {
  return std::ranges::any_of(names, [name](std::string_view function) { return is_named(function, name); });
}

Change Diff::of(std::string_view name, bool total, double z) const {
  Weights sums[2];
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_named(names[i], name)) continue;
    for (std::size_t s = 0; s < 2; ++s) {
      const Weights& w = sides[s].functions[i];
      sums[s].self += w.self, sums[s].self_squares += w.self_squares;
      sums[s].total += w.total, sums[s].total_squares += w.total_squares;
    }
  }
  Change c;
  c.before = observed(total ? sums[0].total : sums[0].self,
                      total ? sums[0].total_squares : sums[0].self_squares, sides[0]);
  c.after = observed(total ? sums[1].total : sums[1].self,
                     total ? sums[1].total_squares : sums[1].self_squares, sides[1]);
  c.interval = change_of(c.before, c.after, z);
  c.verdict = verdict_of(c.interval, !before_uncounted && !after_uncounted);
  return c;
}

}  // namespace plumb::profile
