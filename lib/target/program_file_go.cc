// Go programs. Their functions' addresses count from the start of the text, and since Go 1.26 the table no longer says
// where that is. Then, in this order: the symbol runtime.text; the runtime's moduledata, found by the pointer to the
// table that it starts with; the start of the section .text, which is right unless C code was linked in front of it.
#include <elf.h>

#include <cstring>

#include "symbol/bytes_reader.h"
#include "target/go_functions.h"
#include "target/program_file.h"

namespace plumb {
namespace {

constexpr std::uint64_t kMaxSearched = std::uint64_t{256} << 20;
constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::string_view kNames[] = {".gopclntab", ".data.rel.ro.gopclntab"};
// runtime.moduledata, in words: pcHeader at 0; slices funcnametab, cutab, filetab, pctab, pclntable, ftab of three
// words each; findfunctab; minpc; maxpc; text. Unchanged since Go 1.16.
constexpr std::size_t kFtabLength = 17;
constexpr std::size_t kMinPc = 20;

bool has_go_note(const ElfFile& elf) {
  for (const ElfSegment& s : elf.segments()) {
    std::byte note[16];
    if (s.type == PT_NOTE && s.file_size >= sizeof note && elf.bytes().read(s.offset, note) &&
        std::memcmp(note + 12, "Go\0\0", 4) == 0)
      return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> ProgramFile::go() const {
  const ElfSection* info = elf_.section(".go.buildinfo");
  if (info == nullptr && elf_.section(kNames[0]) == nullptr && elf_.section(kNames[1]) == nullptr &&
      !has_go_note(elf_))
    return std::nullopt;
  const std::vector<std::byte> contents = bounded(info);
  const std::string_view version = go_version(contents);
  return std::string(version.starts_with("go") ? version : "go");
}

// The table's address and bytes; without section headers it is searched for in the segments that hold no code.
std::pair<std::uint64_t, std::vector<std::byte>> ProgramFile::go_table() const {
  for (const std::string_view name : kNames) {
    if (const ElfSection* s = elf_.section(name)) return {s->address, bounded(s)};
  }
  std::uint64_t searched = 0;
  for (const ElfSegment& s : elf_.segments()) {
    if (s.type != PT_LOAD || (s.flags & PF_X) != 0) continue;
    for (std::uint64_t at = 0; at < s.file_size && searched < kMaxSearched;
         at += kChunk, searched += kChunk) {
      const std::vector<std::byte> chunk = read(s.address + at, kChunk + GoFunctions::kHeaderBytes);
      for (std::size_t i = 0; i + GoFunctions::kHeaderBytes <= chunk.size(); i += 8) {
        if (!GoFunctions::looks_like_table(std::span(chunk).subspan(i))) continue;
        return {s.address + at + i, read(s.address + at + i, s.file_size - at - i)};
      }
    }
  }
  return {};
}

std::optional<std::uint64_t> ProgramFile::go_text_start(std::uint64_t table,
                                                        const GoFunctions& functions) const {
  if (const auto start = functions.text_start()) return start;
  constexpr std::string_view kText[] = {"runtime.text"};
  if (const auto found = find(kText); !found.empty()) return found.begin()->second.address;
  constexpr std::size_t kBytes = (kMinPc + 1) * 8;
  std::uint64_t searched = 0;
  for (const ElfSegment& s : elf_.segments()) {
    if (s.type != PT_LOAD || (s.flags & PF_W) == 0) continue;
    for (std::uint64_t at = 0; at < s.file_size && searched < kMaxSearched;
         at += kChunk, searched += kChunk) {
      const std::vector<std::byte> chunk = read(s.address + at, kChunk + kBytes);
      for (std::size_t i = 0; i + kBytes <= chunk.size(); i += 8) {
        if (load<std::uint64_t>(chunk, i) != table ||
            load<std::uint64_t>(chunk, i + kFtabLength * 8) != functions.count() + 1)
          continue;
        return load<std::uint64_t>(chunk, i + kMinPc * 8) - functions.first_entry();
      }
    }
  }
  const ElfSection* text = elf_.section(".text");
  return text == nullptr ? std::nullopt : std::optional(text->address);
}

std::map<std::string_view, CodeRange> ProgramFile::find_go(std::span<const std::string_view> names) const {
  std::map<std::string_view, CodeRange> out;
  if (!go()) return out;
  const auto [address, bytes] = go_table();
  const auto functions = GoFunctions::parse(bytes);
  if (!functions) return out;
  const auto start =
      functions->relative() ? go_text_start(address, *functions) : std::optional<std::uint64_t>(0);
  if (!start) return out;
  for (const std::string_view name : names) {
    if (auto range = functions->find(name))
      out.emplace(name, CodeRange{range->address + *start, range->size});
  }
  return out;
}

}  // namespace plumb
