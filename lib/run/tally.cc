#include "run/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace plumb {
namespace {

constexpr double kNsPerSecond = 1e9;

std::string counted(std::uint64_t n, std::string_view noun) {
  if (n == 1) return fmt::format("1 {}", noun);
  if (noun.ends_with('y')) return fmt::format("{} {}ies", n, noun.substr(0, noun.size() - 1));
  return fmt::format("{} {}s", n, noun);
}

}  // namespace

Tally::Tally(const Schema& events) : events_(events), trouble_(events), types_(events.types().size(), 0) {}

void Tally::keep(const Row& row) {
  ++types_[row.type()];
  if (trouble_.in(row)) ++failed_;
}

std::uint64_t Tally::kept() const {
  return std::accumulate(types_.begin(), types_.end(), std::uint64_t{0});
}

std::string Tally::text() const {
  std::string out;
  for (std::size_t i = 0; i < types_.size(); ++i) {
    if (types_[i] != 0) out.append(out.empty() ? "" : ", ").append(counted(types_[i], events_.types()[i]));
  }
  if (!out.empty() && trouble_.can_be()) out += fmt::format(", {} failed", failed_);
  return out;
}

std::string elapsed_text(Duration elapsed) {
  const double seconds = static_cast<double>(elapsed.ns) / kNsPerSecond;
  if (seconds < 9.95) {
    const std::string text = fmt::format("{:.1f}", seconds);
    return (text.ends_with(".0") ? text.substr(0, text.size() - 2) : text) + " s";
  }
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  const std::int64_t whole = elapsed.ns / 1'000'000'000;
  return fmt::format("{}m{:02}s", whole / 60, whole % 60);
}

}  // namespace plumb
