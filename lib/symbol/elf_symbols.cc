#include "symbol/elf_symbols.h"

#include <elf.h>
#include <lzma.h>

#include <algorithm>
#include <optional>

#include "symbol/bytes_reader.h"

namespace plumb {
namespace {

constexpr std::size_t kBuckets = 4'096;
constexpr std::size_t kEntriesAtOnce = 4'096;
constexpr std::size_t kMaxSymbols = std::size_t{1} << 24;
constexpr std::size_t kMaxName = 4'096;
constexpr std::uint64_t kMaxDebugdata = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxUnpackMemory = std::uint64_t{128} << 20;
// A symbol without a size (assembly) has what follows it up to the next symbol, but no more than this.
constexpr std::uint64_t kUnsizedReach = 4'096;

struct Hit {
  std::uint64_t start = 0, size = 0;
  std::uint64_t nearest = 0;  // the start of the last symbol at or before the address, whatever its size
  std::uint32_t name = 0;
  int rank = 0;  // 0: none
};

// Of several names for one place the one that people know: global before weak before local.
int rank_of(const Elf64_Sym& symbol) {
  const int binding = ELF64_ST_BIND(symbol.st_info);
  return (symbol.st_size != 0 ? 4 : 0) + (binding == STB_GLOBAL ? 3 : binding == STB_WEAK ? 2 : 1);
}

bool is_code(const Elf64_Sym& symbol) {
  const int type = ELF64_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0 &&
         (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

class TableSearch {
 public:
  // `wanted` is not empty.
  TableSearch(const ElfFile& file, std::vector<WantedName>& wanted)
      : file_(file), wanted_(wanted), hits_(wanted.size()), low_(wanted.front().address) {
    const std::uint64_t span = wanted.back().address - low_;
    while (span >> shift_ >= kBuckets) ++shift_;
    std::size_t at = 0;
    for (std::uint64_t bucket = 0; bucket <= span >> shift_; ++bucket) {
      while ((wanted[at].address - low_) >> shift_ < bucket) ++at;
      first_.push_back(static_cast<std::uint32_t>(at));
    }
  }

  void search(const ElfSection& table) {
    if (table.link >= file_.sections().size()) return;
    stream(table);
    take_names(file_.sections()[table.link]);
  }

 private:
  void stream(const ElfSection& table) {
    std::vector<std::byte> piece;
    const std::uint64_t count = std::min<std::uint64_t>(table.size / sizeof(Elf64_Sym), kMaxSymbols);
    for (std::uint64_t i = 0; i < count; i += kEntriesAtOnce) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(kEntriesAtOnce, count - i));
      piece.resize(n * sizeof(Elf64_Sym));
      if (!file_.bytes().read(table.offset + i * sizeof(Elf64_Sym), piece)) return;
      for (std::size_t k = 0; k < n; ++k) meet(load<Elf64_Sym>(piece, k * sizeof(Elf64_Sym)));
    }
  }

  // The first wanted address that is not below `address`. Nearly all symbols are between two of them: by its high bits
  // one is found in a third of the time that a binary search takes.
  std::vector<WantedName>::iterator first_from(std::uint64_t address) {
    if (address <= low_) return wanted_.begin();
    if (address > wanted_.back().address) return wanted_.end();
    std::size_t at = first_[(address - low_) >> shift_];
    while (wanted_[at].address < address) ++at;
    return wanted_.begin() + static_cast<std::ptrdiff_t>(at);
  }

  void meet(const Elf64_Sym& symbol) {
    if (!is_code(symbol) || symbol.st_size > UINT64_MAX - symbol.st_value - kUnsizedReach) return;
    const std::uint64_t end = symbol.st_value + symbol.st_size;
    for (auto it = first_from(symbol.st_value); it != wanted_.end() && it->address < end + kUnsizedReach;
         ++it) {
      Hit& hit = hits_[static_cast<std::size_t>(it - wanted_.begin())];
      hit.nearest = std::max(hit.nearest, symbol.st_value);
      if (symbol.st_size != 0 && it->address >= end) continue;
      const int rank = rank_of(symbol);
      const bool sized = symbol.st_size != 0;
      const bool had_size = hit.size != 0;
      const bool better = hit.rank == 0 || (sized && !had_size) ||
                          (sized == had_size && (symbol.st_value > hit.start ||
                                                 (symbol.st_value == hit.start && rank > hit.rank)));
      if (better) {
        hit.start = symbol.st_value;
        hit.size = symbol.st_size;
        hit.name = symbol.st_name;
        hit.rank = rank;
      }
    }
  }

  void take_names(const ElfSection& strings) {
    std::vector<std::byte> text;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const Hit& hit = hits_[i];
      if (hit.rank == 0 || !wanted_[i].name.empty() || hit.name >= strings.size) continue;
      if (hit.size == 0 && hit.start != hit.nearest) continue;
      text.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kMaxName, strings.size - hit.name)));
      if (!file_.bytes().read(strings.offset + hit.name, text)) continue;
      BytesReader reader(text);
      wanted_[i].name = reader.take_string();
      wanted_[i].start = hit.start;
    }
  }

  const ElfFile& file_;
  std::vector<WantedName>& wanted_;
  std::vector<Hit> hits_;
  std::uint64_t low_;
  unsigned shift_ = 0;
  std::vector<std::uint32_t>
      first_;  // by an address's high bits, the first wanted one that is not below them
};

bool complete(const std::vector<WantedName>& wanted) {
  return std::ranges::none_of(wanted, [](const WantedName& w) { return w.name.empty(); });
}

void search_tables(const ElfFile& file, std::vector<WantedName>& wanted) {
  for (const std::uint32_t type : {std::uint32_t{SHT_SYMTAB}, std::uint32_t{SHT_DYNSYM}}) {
    for (const ElfSection& s : file.sections()) {
      if (s.type == type && !complete(wanted)) TableSearch(file, wanted).search(s);
    }
  }
}

}  // namespace

std::vector<std::byte> debugdata_of(const ElfFile& file) {
  const ElfSection* section = file.section(".gnu_debugdata");
  if (section == nullptr) return {};
  const std::vector<std::byte> packed = file.contents(*section);
  lzma_stream stream = LZMA_STREAM_INIT;
  if (packed.empty() || lzma_stream_decoder(&stream, kMaxUnpackMemory, 0) != LZMA_OK) return {};
  std::vector<std::byte> out;
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  lzma_ret status = LZMA_OK;
  while (status == LZMA_OK && out.size() < kMaxDebugdata) {
    const std::size_t had = out.size();
    out.resize(had + (std::size_t{1} << 20));
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data()) + had;
    stream.avail_out = out.size() - had;
    status = lzma_code(&stream, LZMA_FINISH);
    out.resize(out.size() - stream.avail_out);
  }
  lzma_end(&stream);
  if (status != LZMA_STREAM_END) return {};
  return out;
}

void find_symbols(const ElfFile& file, std::vector<WantedName>& wanted) {
  if (wanted.empty()) return;
  search_tables(file, wanted);
  if (complete(wanted)) return;
  std::vector<std::byte> inner = debugdata_of(file);
  if (inner.empty()) return;
  if (const auto unpacked = ElfFile::open(elf_bytes(std::move(inner))); unpacked)
    search_tables(*unpacked, wanted);
}

// A name, NUL, padding to 4 bytes, the CRC-32 of the file.
DebugLink debuglink_of(const ElfFile& file) {
  const ElfSection* section = file.section(".gnu_debuglink");
  if (section == nullptr || section->size > kMaxName) return {};
  const std::vector<std::byte> bytes = file.contents(*section);
  BytesReader reader(bytes);
  DebugLink link{std::string(reader.take_string())};
  BytesReader at(bytes, (reader.position() + 3) & ~std::size_t{3});
  link.crc = at.take<std::uint32_t>();
  if (!reader.ok() || !at.ok() || link.name.find('/') != std::string::npos) return {};
  return link;
}

}  // namespace plumb
