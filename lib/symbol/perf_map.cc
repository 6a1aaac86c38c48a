#include "symbol/perf_map.h"

#include <algorithm>
#include <charconv>

namespace plumb {
namespace {

constexpr std::size_t kLongestLine = 4'096;
constexpr std::uint64_t kLargestFunction = std::uint64_t{16} << 20;

bool take_hex(std::string_view& text, std::uint64_t& value) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (status != std::errc{} || rest == text.data() + text.size() || *rest != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()) + 1);
  return true;
}

}  // namespace

void PerfMapSearch::line(std::string_view text) {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
  if (!take_hex(text, start) || !take_hex(text, size) || text.empty()) return;
  if (size > kLargestFunction || start > UINT64_MAX - size) return;
  for (auto it = std::ranges::lower_bound(wanted_, start, {}, &WantedName::address);
       it != wanted_.end() && it->address < start + size; ++it) {
    it->name = text;
    it->start = start;
  }
}

void PerfMapSearch::feed(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t newline = piece.find('\n');
    if (newline == std::string_view::npos) {
      if (partial_.size() < kLongestLine) partial_.append(piece.substr(0, kLongestLine));
      return;
    }
    if (partial_.empty()) {
      line(piece.substr(0, std::min(newline, kLongestLine)));
    } else {
      partial_.append(piece.substr(0, std::min(newline, kLongestLine)));
      line(partial_);
      partial_.clear();
    }
    piece.remove_prefix(newline + 1);
  }
}

void PerfMapSearch::finish() {
  if (!partial_.empty()) line(partial_);
  partial_ = {};
}

}  // namespace plumb
