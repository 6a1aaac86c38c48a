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

// The mapping of a memfd, whether the kernel took the name for it or not, or of no file.
bool is_context(std::string_view line) {
  return line.find(" [anon_shmem:OTEL_CTX]") != std::string_view::npos ||
         line.find(" [anon:OTEL_CTX]") != std::string_view::npos ||
         line.find(" /memfd:OTEL_CTX") != std::string_view::npos;
}

}  // namespace

std::optional<std::uint64_t> find_otel_context(std::string_view maps) {
  while (!maps.empty()) {
    const std::string_view line = maps.substr(0, maps.find('\n'));
    maps.remove_prefix(std::min(line.size() + 1, maps.size()));
    if (!is_context(line)) continue;
    std::uint64_t start = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), start, 16);
    if (error == std::errc{} && end != line.data() + line.size() && *end == '-') return start;
  }
  return std::nullopt;
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
    auto payload = procfs.read_memory(pid, before->payload, before->size);
    const auto after = header();
    if (payload && after && after->published == before->published) return *std::move(payload);
  }
  return {};
}

}  // namespace plumb
