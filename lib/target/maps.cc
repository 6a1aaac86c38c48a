#include "target/maps.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace plumb {
namespace {

// Reads one line from its front. Each step fails softly: what follows a failed step fails as well.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  template <class Number>
  Number number(int base, char end) {
    Number n = 0;
    const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), n, base);
    const auto used = static_cast<std::size_t>(stop - rest_.data());
    good_ = good_ && error == std::errc{} && used < rest_.size() && rest_[used] == end;
    rest_.remove_prefix(good_ ? used + 1 : rest_.size());
    return n;
  }
  bool flag(char letter) {
    good_ = good_ && !rest_.empty();
    const bool on = good_ && rest_.front() == letter;
    if (good_) rest_.remove_prefix(1);
    return on;
  }
  std::string_view path() {
    const std::size_t at = rest_.find_first_not_of(' ');
    return at == std::string_view::npos ? std::string_view{} : rest_.substr(at);
  }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

// The kernel writes a newline in a path as \012 and leaves all else as it is (fs/proc/task_mmu.c, seq_path with
// "\n"), so that a backslash is ambiguous only in front of these three digits.
std::string unescaped(std::string_view path) {
  std::string out;
  for (std::size_t at = 0; at < path.size(); ++at) {
    const bool newline = path.substr(at, 4) == "\\012";
    out += newline ? '\n' : path[at];
    at += newline ? 3 : 0;
  }
  return out;
}

std::optional<Mapping> parse_line(std::string_view text) {
  Line line(text);
  Mapping m;
  m.start = line.number<std::uint64_t>(16, '-');
  m.end = line.number<std::uint64_t>(16, ' ');
  m.readable = line.flag('r');
  m.writable = line.flag('w');
  m.executable = line.flag('x');
  line.flag('p');
  line.flag(' ');
  m.offset = line.number<std::uint64_t>(16, ' ');
  m.device_major = line.number<std::uint32_t>(16, ':');
  m.device_minor = line.number<std::uint32_t>(16, ' ');
  m.inode = line.number<std::uint64_t>(10, ' ');
  if (!line.good() || m.end <= m.start) return std::nullopt;
  std::string_view path = line.path();
  constexpr std::string_view kDeleted = " (deleted)";
  m.deleted = m.inode != 0 && path.ends_with(kDeleted);
  if (m.deleted) path.remove_suffix(kDeleted.size());
  m.path = unescaped(path);
  return m;
}

}  // namespace

std::vector<Mapping> parse_maps(std::string_view text) {
  std::vector<Mapping> out;
  while (!text.empty() && out.size() < kMaxMappings) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // the kernel ends each line; this one was cut
    if (auto mapping = parse_line(text.substr(0, end))) out.push_back(*std::move(mapping));
    text.remove_prefix(end + 1);
  }
  return out;
}

std::vector<MappedFile> code_files(const std::vector<Mapping>& mappings) {
  std::vector<MappedFile> out;
  for (const Mapping& m : mappings) {
    if (out.size() == kMaxCodeFiles) break;
    if (!m.executable || m.inode == 0) continue;
    const bool known = std::any_of(out.begin(), out.end(), [&](const MappedFile& f) {
      return f.inode == m.inode && f.device_major == m.device_major && f.device_minor == m.device_minor;
    });
    if (!known) out.push_back({m.path, m.inode, m.device_major, m.device_minor, m.deleted, m.start, m.end});
  }
  return out;
}

}  // namespace plumb
