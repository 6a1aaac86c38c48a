#include "target/go_functions.h"

#include <cstring>

namespace plumb {
namespace {

constexpr std::uint32_t kMagic116 = 0xfffffffa;
constexpr std::uint32_t kMagic118 = 0xfffffff0;
constexpr std::uint32_t kMagic120 = 0xfffffff1;
constexpr std::size_t kWord = 8;
constexpr std::size_t kMaxFunctions = 4'000'000;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::uint64_t GoFunctions::number(std::uint64_t offset, std::size_t size) const {
  std::uint64_t value = 0;
  if (offset > table_.size() || table_.size() - offset < size) return 0;
  std::memcpy(&value, table_.data() + offset, size);  // little-endian, as this machine
  return value;
}

// The words behind the first eight bytes of the header.
std::uint64_t GoFunctions::word(std::size_t index) const {
  return number(8 + index * kWord, kWord);
}

bool GoFunctions::looks_like_table(std::span<const std::byte> header) {
  if (header.size() < kHeaderBytes) return false;
  std::uint32_t magic = 0;
  std::memcpy(&magic, header.data(), sizeof magic);
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(header[i]); };
  return (magic == kMagic116 || magic == kMagic118 || magic == kMagic120) && byte(4) == 0 && byte(5) == 0 &&
         (byte(6) == 1 || byte(6) == 4) && byte(7) == kWord;
}

std::optional<GoFunctions> GoFunctions::parse(std::span<const std::byte> table) {
  if (!looks_like_table(table)) return std::nullopt;
  GoFunctions t(table);
  t.relative_ = t.number(0, 4) != kMagic116;
  // nfunc, nfiles, [textStart], funcnameOffset, cuOffset, filetabOffset, pctabOffset, pclnOffset
  const std::size_t behind = t.relative_ ? 3 : 2;
  t.text_start_ = t.relative_ ? t.word(2) : 0;
  t.names_ = t.word(behind);
  t.functions_ = t.word(behind + 4);
  const std::uint64_t count = t.word(0);
  const std::uint64_t entry_size = t.relative_ ? 8 : 16;
  if (count == 0 || count > kMaxFunctions || t.names_ >= table.size() || t.functions_ >= table.size() ||
      (table.size() - t.functions_) / entry_size <= count)
    return std::nullopt;
  t.count_ = count;
  return t;
}

std::optional<std::uint64_t> GoFunctions::text_start() const {
  if (text_start_ == 0) return std::nullopt;
  return text_start_;
}

std::uint64_t GoFunctions::entry(std::size_t index) const {
  return relative_ ? number(functions_ + index * 8, 4) : number(functions_ + index * 16, 8);
}

std::optional<CodeRange> GoFunctions::find(std::string_view name) const {
  for (std::size_t i = 0; i < count_; ++i) {
    const std::uint64_t at =
        functions_ + (relative_ ? number(functions_ + i * 8 + 4, 4) : number(functions_ + i * 16 + 8, 8));
    const std::uint64_t name_at = names_ + number(at + (relative_ ? 4 : 8), 4);
    if (name_at >= table_.size() || table_.size() - name_at <= name.size()) continue;
    const auto here = table_.subspan(name_at, name.size() + 1);
    if (here.back() != std::byte{0} || !text_of(here).starts_with(name)) continue;
    const std::uint64_t start = entry(i);
    const std::uint64_t end = entry(i + 1);
    if (end <= start) return std::nullopt;
    return CodeRange{start, end - start};
  }
  return std::nullopt;
}

// debug/buildinfo: "\xff Go buildinf:", pointer size, flags (bit 1: strings inline), 16 bytes reserved in all up to
// offset 32, then the version with its length as a varint.
std::string_view go_version(std::span<const std::byte> build_info) {
  constexpr std::string_view kMagic = "\xff Go buildinf:";
  if (build_info.size() < 33 || !text_of(build_info).starts_with(kMagic)) return {};
  if ((std::to_integer<unsigned>(build_info[15]) & 2) == 0) return {};
  const auto length = std::to_integer<std::size_t>(build_info[32]);
  if (length == 0 || length > 127 || build_info.size() - 33 < length) return {};
  return text_of(build_info.subspan(33, length));
}

}  // namespace plumb
