// What several writers say in the same words.

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "profile/write.h"

namespace plumb::profile {
namespace {

std::string with_commas(std::uint64_t n) {
  std::string s = std::to_string(n);
  for (std::size_t i = s.size(); i > 3; i -= 3) s.insert(i - 3, ",");
  return s;
}

// Three significant digits with the largest unit that keeps the number at 1 or more.
std::string scaled(std::uint64_t value, std::initializer_list<std::pair<double, std::string_view>> units) {
  const auto v = static_cast<double>(value);
  for (const auto& [size, name] : units) {
    if (v < size) continue;
    const double x = v / size;
    return fmt::format("{:.{}f} {}", x, size == 1 || x >= 100 ? 0 : x >= 10 ? 1 : 2, name);
  }
  return fmt::format("{} {}", value, std::prev(units.end())->second);
}

// "1 sample", "2 samples".
std::string counted_text(std::uint64_t n, std::string_view counted) {
  if (n == 1 && counted.ends_with('s')) counted.remove_suffix(1);
  return with_commas(n) + " " + std::string(counted);
}

std::string percent_of(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  const double p = 100 * static_cast<double>(part) / static_cast<double>(whole);
  if (part < whole && p >= 99.95)
    return fmt::format("{:.2f} %", std::min(p, 99.99));  // never "100 %" of less
  return fmt::format("{:.1f} %", p);
}

}  // namespace

std::string root_label(const Sample& sample, Root root) {
  if (root == Root::none) return {};
  if (root == Root::comm) return std::string(sample.comm);
  return fmt::format("{}-{}/{}", sample.comm.empty() ? "?" : sample.comm, sample.pid, sample.tid);
}

std::string weight_text(const Description& d, std::uint64_t value) {
  switch (d.unit) {
    case Unit::nanoseconds:
      return scaled(
          value,
          {{86400e9, "days"}, {3600e9, "h"}, {60e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}});
    case Unit::bytes:
      return scaled(value,
                    {{0x1p40, "TiB"}, {0x1p30, "GiB"}, {0x1p20, "MiB"}, {0x1p10, "KiB"}, {1, "bytes"}});
    case Unit::count:
      break;
  }
  return counted_text(value, d.counted);
}

std::string quality_text(const Profile& profile) {
  const std::uint64_t samples = profile.total_count();
  const Quality& q = profile.quality();
  const std::string counted =
      profile.description().unit == Unit::count ? profile.description().counted : "samples";
  std::string out = counted_text(samples, counted);
  if (q.lost >= 0) out += fmt::format(", {} lost", with_commas(static_cast<std::uint64_t>(q.lost)));
  if (q.rooted >= 0)
    out += fmt::format(", {} rooted", percent_of(static_cast<std::uint64_t>(q.rooted), samples));
  if (q.truncated >= 0) {
    out += fmt::format(", {} truncated", percent_of(static_cast<std::uint64_t>(q.truncated), samples));
  }
  if (q.overflowed != 0) out += fmt::format(", {} without room for their stacks", with_commas(q.overflowed));
  constexpr std::size_t kMost = 4;
  const auto nameless = profile.unsymbolised();
  for (std::size_t i = 0; i < std::min(nameless.size(), kMost); ++i) {
    const std::string_view module = module_name(profile.mapping_of(nameless[i].mapping).path);
    out += fmt::format("{} {} {}", i == 0 ? "; without names:" : ",",
                       module.empty() ? "addresses in no file" : module,
                       percent_of(nameless[i].samples, samples));
  }
  if (nameless.size() > kMost) out += fmt::format(" and {} more", nameless.size() - kMost);
  return out;
}

// append_printable leaves no control bytes and no broken UTF-8; U+FFFE and U+FFFF are forbidden by XML besides
// (XML 1.0, section 2.2) and read as spaces here.
void append_xml(std::string& out, std::string_view text) {
  std::string printable;
  append_printable(printable, text);
  for (std::size_t i = 0; i < printable.size(); ++i) {
    const char c = printable[i];
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (printable.compare(i, 2, "\xEF\xBF") == 0 && i + 2 < printable.size() &&
             (printable[i + 2] & 0xFE) == 0xBE) {
      out += ' ';
      i += 2;
    } else {
      out += c;
    }
  }
}

std::vector<std::size_t> by_weight(const Profile& profile) {
  std::vector<std::uint32_t> rank(
      profile.frames());  // of a frame, by its content: ids tell in which order they came
  std::iota(rank.begin(), rank.end(), 0U);
  const auto content = [&](FrameId id) {
    const Frame f = profile.frame_of(id);
    const Mapping m = profile.mapping_of(f.mapping);
    return std::tuple(f.function, m.path, f.address, f.kind, f.file, f.line, m.build_id, m.start);
  };
  std::ranges::sort(rank, [&](FrameId a, FrameId b) { return content(a) < content(b); });
  std::vector<std::uint32_t> place(rank.size());
  for (std::uint32_t i = 0; i < rank.size(); ++i) place[rank[i]] = i;
  std::vector<std::size_t> order(profile.samples());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const Sample x = profile.sample(a), y = profile.sample(b);
    if (x.value != y.value) return x.value > y.value;
    const auto less = [&](FrameId f, FrameId g) { return place[f] < place[g]; };
    if (std::ranges::lexicographical_compare(x.frames, y.frames, less)) return true;
    if (std::ranges::lexicographical_compare(y.frames, x.frames, less)) return false;
    return std::tuple(x.comm, x.pid, x.tid, x.count) < std::tuple(y.comm, y.pid, y.tid, y.count);
  });
  return order;
}

}  // namespace plumb::profile
