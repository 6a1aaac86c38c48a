#include "symbol/elf.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "symbol/bytes_reader.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxSectionName = 256;
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kMaxNoteBytes = 65'536;

class FileBytes final : public ElfBytes {
 public:
  FileBytes(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  int fd() const override { return fd_.get(); }
  bool read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size_ || size_ - offset < out.size()) return false;
    while (!out.empty()) {
      const ssize_t n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      out = out.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return true;
  }

 private:
  UniqueFd fd_;
  std::uint64_t size_;
};

class MemoryBytes final : public ElfBytes {
 public:
  explicit MemoryBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  bool read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || bytes_.size() - offset < out.size()) return false;
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return true;
  }

 private:
  std::vector<std::byte> bytes_;
};

Error not_elf(std::string why) {
  return Error{"cannot read an ELF file", std::move(why)};
}

// gABI, "Section Compression": an Elf64_Chdr, then the packed bytes.
std::vector<std::byte> unpacked(std::span<const std::byte> packed, std::uint64_t most) {
  if (packed.size() < sizeof(Elf64_Chdr)) return {};
  const auto header = load<Elf64_Chdr>(packed, 0);
  if (header.ch_type != ELFCOMPRESS_ZLIB || header.ch_size > most) return {};
  // zlib shrinks by 1,032 at most: what claims more is damaged, and not worth the memory.
  if (header.ch_size / 1'100 > packed.size()) return {};
  std::vector<std::byte> out(header.ch_size);
  uLongf size = out.size();
  const auto body = packed.subspan(sizeof header);
  if (::uncompress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(body.data()),
                   body.size()) != Z_OK ||
      size != out.size()) {
    return {};
  }
  return out;
}

}  // namespace

std::unique_ptr<ElfBytes> elf_bytes(UniqueFd fd) {
  struct stat status {};
  const bool file = ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  return std::make_unique<FileBytes>(std::move(fd), file ? static_cast<std::uint64_t>(status.st_size) : 0);
}

std::unique_ptr<ElfBytes> elf_bytes(std::vector<std::byte> bytes) {
  return std::make_unique<MemoryBytes>(std::move(bytes));
}

std::vector<std::byte> ElfFile::read(std::uint64_t offset, std::uint64_t size, std::uint64_t most) const {
  if (size > most || offset > bytes_->size() || bytes_->size() - offset < size) return {};
  std::vector<std::byte> out(static_cast<std::size_t>(size));
  if (!bytes_->read(offset, out)) return {};
  return out;
}

Result<ElfFile> ElfFile::open(std::unique_ptr<ElfBytes> bytes) {
  ElfFile file;
  file.bytes_ = std::move(bytes);
  const std::vector<std::byte> raw = file.read(0, sizeof(Elf64_Ehdr), sizeof(Elf64_Ehdr));
  if (raw.empty()) return not_elf("the file is too short");
  const auto header = load<Elf64_Ehdr>(raw, 0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return not_elf("the file does not begin with \\x7fELF");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    return not_elf("only 64-bit little-endian files are read");
  file.machine_ = header.e_machine;
  if (header.e_phnum != 0 && (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxSegments ||
                              !file.read_segments(header.e_phoff, header.e_phnum))) {
    return not_elf("its program headers are damaged");
  }
  if (header.e_shentsize == sizeof(Elf64_Shdr))
    file.read_sections(header.e_shoff, header.e_shnum, header.e_shstrndx);
  file.read_build_id();
  return file;
}

bool ElfFile::read_segments(std::uint64_t offset, std::size_t count) {
  const std::vector<std::byte> raw = read(offset, count * sizeof(Elf64_Phdr), kMaxHeaderBytes);
  if (raw.empty()) return false;
  low_ = UINT64_MAX;
  for (std::size_t i = 0; i < count; ++i) {
    const auto h = load<Elf64_Phdr>(raw, i * sizeof(Elf64_Phdr));
    if (h.p_type == PT_LOAD) {
      if (h.p_vaddr > UINT64_MAX - h.p_memsz) return false;
      low_ = std::min(low_, h.p_vaddr);
      end_ = std::max(end_, h.p_vaddr + h.p_memsz);
    }
    segments_.push_back({h.p_type, h.p_flags, h.p_offset, h.p_vaddr, h.p_filesz, h.p_memsz});
  }
  if (low_ > end_) low_ = end_ = 0;
  return true;
}

// Damaged or missing section headers are no error: what runs needs none.
void ElfFile::read_sections(std::uint64_t offset, std::size_t count, std::size_t names) {
  if (offset == 0) return;
  const std::vector<std::byte> first = read(offset, sizeof(Elf64_Shdr), kMaxHeaderBytes);
  if (first.empty()) return;
  // gABI: counts that do not fit into the header stand in the first entry.
  const auto zero = load<Elf64_Shdr>(first, 0);
  if (count == 0) count = static_cast<std::size_t>(std::min<std::uint64_t>(zero.sh_size, kMaxSections));
  if (names == SHN_XINDEX) names = zero.sh_link;
  const std::vector<std::byte> raw = read(offset, count * sizeof(Elf64_Shdr), kMaxHeaderBytes);
  if (raw.empty() || names >= count) return;
  const auto names_header = load<Elf64_Shdr>(raw, names * sizeof(Elf64_Shdr));
  const std::vector<std::byte> texts = read(names_header.sh_offset, names_header.sh_size, kMaxHeaderBytes);
  sections_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto h = load<Elf64_Shdr>(raw, i * sizeof(Elf64_Shdr));
    // No more is looked at: a hostile file has long texts, of which each section may name another part.
    const std::size_t at = std::min<std::size_t>(h.sh_name, texts.size());
    const std::span<const std::byte> text =
        std::span<const std::byte>(texts).subspan(at, std::min(texts.size() - at, kMaxSectionName + 1));
    BytesReader name(text);
    sections_.push_back({std::string(name.take_string()), h.sh_type, h.sh_flags, h.sh_addr, h.sh_offset,
                         h.sh_size, h.sh_link});
  }
}

void ElfFile::read_build_id() {
  for (const ElfSegment& s : segments_) {
    if (s.type != PT_NOTE || !build_id_.empty()) continue;
    build_id_ = build_id_of_notes(read(s.offset, s.file_size, kMaxNoteBytes));
  }
  for (const ElfSection& s : sections_) {  // a separate debug file's segments have no bytes
    if (s.type != SHT_NOTE || !build_id_.empty()) continue;
    build_id_ = build_id_of_notes(read(s.offset, s.size, kMaxNoteBytes));
  }
}

const ElfSection* ElfFile::section(std::string_view name) const {
  const auto found = std::ranges::find(sections_, name, &ElfSection::name);
  return found == sections_.end() ? nullptr : &*found;
}

std::vector<std::byte> ElfFile::contents(const ElfSection& section) const {
  if (section.type == SHT_NOBITS) return {};
  std::vector<std::byte> raw = read(section.offset, section.size, kMaxSectionBytes);
  if ((section.flags & SHF_COMPRESSED) != 0) return unpacked(raw, kMaxSectionBytes);
  return raw;
}

std::optional<std::uint64_t> ElfFile::address_of(std::uint64_t offset) const {
  for (const ElfSegment& s : segments_) {
    if (s.type == PT_LOAD && offset >= s.offset && offset - s.offset < s.file_size)
      return s.address + (offset - s.offset);
  }
  return std::nullopt;
}

std::string build_id_of_notes(std::span<const std::byte> notes) {
  BytesReader reader(notes);
  while (reader.left() >= sizeof(Elf64_Nhdr)) {
    const auto header = reader.take<Elf64_Nhdr>();
    const auto name = reader.take_bytes((std::uint64_t{header.n_namesz} + 3) & ~std::uint64_t{3});
    const std::uint64_t padded = (std::uint64_t{header.n_descsz} + 3) & ~std::uint64_t{3};
    const auto value = reader.take_bytes(std::min<std::uint64_t>(padded, reader.left()));
    if (!reader.ok()) break;
    if (header.n_type != NT_GNU_BUILD_ID || header.n_namesz != 4 || std::memcmp(name.data(), "GNU", 4) != 0)
      continue;
    if (header.n_descsz > value.size() || header.n_descsz > 64) break;
    std::string id;
    for (const std::byte b : value.first(header.n_descsz))
      fmt::format_to(std::back_inserter(id), "{:02x}", std::to_integer<unsigned>(b));
    return id;
  }
  return {};
}

}  // namespace plumb
