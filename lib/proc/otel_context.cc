#include "proc/otel_context.h"

#include <bit>
#include <charconv>
#include <cstring>

namespace plumb {
namespace {

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct Mapping {
  std::uint64_t start = 0, end = 0;
  bool of_no_file = false;
  std::string_view path;
};

// A line of /proc/PID/maps (proc_pid_maps(5)). A file's path may hold anything, but begins with a slash.
std::optional<Mapping> parse_mapping(std::string_view line) {
  Mapping m;
  const char* const last = line.data() + line.size();
  const auto start = std::from_chars(line.data(), last, m.start, 16);
  if (start.ec != std::errc{} || start.ptr == last || *start.ptr != '-') return std::nullopt;
  const auto end = std::from_chars(start.ptr + 1, last, m.end, 16);
  if (end.ec != std::errc{}) return std::nullopt;
  m.path = {end.ptr, static_cast<std::size_t>(last - end.ptr)};
  std::string_view inode;
  const auto skip_blanks = [&m] {
    m.path.remove_prefix(std::min(m.path.find_first_not_of(' '), m.path.size()));
  };
  for (int i = 0; i < 4; ++i) {  // permissions, offset, device, inode
    skip_blanks();
    inode = m.path.substr(0, m.path.find(' '));
    m.path.remove_prefix(inode.size());
  }
  skip_blanks();
  m.of_no_file = inode == "0";
  return m;
}

// A memfd, whether the kernel took the name for its mapping or not, or of no file.
bool is_context(const Mapping& m) {
  return m.path == "[anon_shmem:OTEL_CTX]" || m.path == "[anon:OTEL_CTX]" || m.path == "/memfd:OTEL_CTX" ||
         m.path == "/memfd:OTEL_CTX (deleted)";
}

// The first for which `wanted` holds.
template <class Wanted>
std::optional<Mapping> find_mapping(std::string_view maps, Wanted wanted) {
  while (!maps.empty()) {
    const std::string_view line = maps.substr(0, maps.find('\n'));
    maps.remove_prefix(std::min(line.size() + 1, maps.size()));
    const auto m = parse_mapping(line);
    if (m && wanted(*m)) return m;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> find_otel_context(std::string_view maps) {
  const auto found = find_mapping(maps, is_context);
  return found ? std::optional(found->start) : std::nullopt;
}

bool is_own_memory(std::string_view maps, std::uint64_t address, std::uint64_t size) {
  const auto found =
      find_mapping(maps, [&](const Mapping& m) { return m.start <= address && address < m.end; });
  return found && size <= found->end - address && (found->of_no_file || is_context(*found));
}

std::optional<OtelContextHeader> parse_otel_context(std::string_view header) {
  constexpr std::uint32_t kVersion = 2;
  if (header.size() < kOtelContextHeader || !header.starts_with("OTEL_CTX")) return std::nullopt;
  if (number_at<std::uint32_t>(header, 8) != kVersion) return std::nullopt;
  const OtelContextHeader h{number_at<std::uint64_t>(header, 16), number_at<std::uint64_t>(header, 24),
                            number_at<std::uint32_t>(header, 12)};
  if (h.published == 0 || h.size == 0 || h.size > kLargestOtelContext) return std::nullopt;
  return h;
}

std::string read_otel_context(const ProcFs& procfs, std::uint32_t pid) {
  const auto maps = procfs.read("/proc/" + std::to_string(pid) + "/maps");
  const auto start = maps ? find_otel_context(*maps) : std::nullopt;
  if (!start) return {};
  constexpr int kTries = 3;  // it may be rewritten meanwhile
  for (int i = 0; i < kTries; ++i) {
    const auto header = [&]() -> std::optional<OtelContextHeader> {
      const auto bytes = procfs.read_memory(pid, *start, kOtelContextHeader);
      return bytes ? parse_otel_context(*bytes) : std::nullopt;
    };
    const auto before = header();
    if (!before) continue;
    // A file of its own file system could make the reader wait for as long as it likes.
    if (!is_own_memory(*maps, before->payload, before->size)) return {};
    auto payload = procfs.read_memory(pid, before->payload, before->size);
    const auto after = header();
    if (payload && after && after->published == before->published) return *std::move(payload);
  }
  return {};
}

}  // namespace plumb
