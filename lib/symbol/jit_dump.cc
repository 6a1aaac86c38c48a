#include "symbol/jit_dump.h"

#include <algorithm>

#include "base/path.h"
#include "symbol/bytes_reader.h"

namespace plumb {
namespace {

constexpr std::uint32_t kMagic = 0x4A695444;  // "JiTD" in the writer's byte order
constexpr std::size_t kFileHeader = 40, kRecordHeader = 16;
constexpr std::size_t kLongestName = 4'096;
constexpr std::size_t kMostKept = kRecordHeader + 40 + kLongestName;
constexpr std::size_t kMostNameBytes = std::size_t{16} << 20;
constexpr std::uint64_t kLargestFunction = std::uint64_t{16} << 20;
enum Record : std::uint32_t { kLoad = 0, kMove = 1 };

}  // namespace

bool is_jit_dump(std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("jit-") && name.ends_with(".dump");
}

// The header says how long it is itself; what is new in it is skipped.
bool JitDumpSearch::begin_file() {
  BytesReader r(kept_);
  const auto magic = r.take<std::uint32_t>();
  r.take<std::uint32_t>();  // version
  const auto size = r.take<std::uint32_t>();
  if (magic != kMagic || size < kFileHeader) return false;
  in_file_ = true;
  skip_ = size - kFileHeader;
  return true;
}

void JitDumpSearch::name(std::uint64_t start, std::uint64_t size, std::string_view function) {
  if (size > kLargestFunction || start > UINT64_MAX - size || function.empty()) return;
  for (auto it = std::ranges::lower_bound(wanted_, start, {}, &WantedName::address);
       it != wanted_.end() && it->address < start + size; ++it) {
    it->name = function;
    it->start = start;
  }
}

void JitDumpSearch::load() {
  BytesReader r(kept_, kRecordHeader + 16);  // behind process, thread and virtual address
  const auto start = r.take<std::uint64_t>();
  const auto size = r.take<std::uint64_t>();
  const auto index = r.take<std::uint64_t>();
  const std::string_view function = r.take_string();
  if (!r.ok()) return;  // a name that does not end
  name(start, size, function);
  if (name_bytes_ + function.size() > kMostNameBytes) return;
  name_bytes_ += function.size() + 64;
  names_.insert_or_assign(index, std::string(function));
}

void JitDumpSearch::move() {
  BytesReader r(kept_, kRecordHeader + 24);  // and behind the old address
  const auto start = r.take<std::uint64_t>();
  const auto size = r.take<std::uint64_t>();
  const auto index = r.take<std::uint64_t>();
  const auto found = names_.find(index);
  if (r.ok() && found != names_.end()) name(start, size, found->second);
}

// First the record's header, from which it is known how much of the rest is worth keeping.
bool JitDumpSearch::take_record() {
  BytesReader r(kept_);
  const auto kind = r.take<std::uint32_t>();
  const auto size = r.take<std::uint32_t>();
  if (size < kRecordHeader) return false;
  const bool wanted = kind == kLoad || kind == kMove;
  if (!in_record_ && wanted && size > kRecordHeader) {
    in_record_ = true;
    wanted_bytes_ = std::min<std::uint64_t>(size, kMostKept);
    return true;
  }
  if (in_record_ && kind == kLoad) load();
  if (in_record_ && kind == kMove) move();
  skip_ = size - kept_.size();
  in_record_ = false;
  kept_.clear();
  return true;
}

bool JitDumpSearch::feed(std::span<const std::byte> piece) {
  while (!broken_) {
    const std::size_t skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, piece.size()));
    skip_ -= skipped;
    piece = piece.subspan(skipped);
    if (!in_record_) wanted_bytes_ = in_file_ ? kRecordHeader : kFileHeader;
    const std::size_t taken = std::min(piece.size(), static_cast<std::size_t>(wanted_bytes_) - kept_.size());
    kept_.insert(kept_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(taken));
    piece = piece.subspan(taken);
    if (kept_.size() < wanted_bytes_) return true;
    if (in_file_) {
      broken_ = !take_record();
    } else {
      broken_ = !begin_file();
      kept_.clear();
    }
  }
  return false;
}

}  // namespace plumb
