// Reading 64-bit little-endian ELF files: headers, sections, build id. The files belong to the traced
// processes, so every byte is hostile: each offset and size is checked against the file, what is read at once
// is bounded, and the bytes are read, never mapped (a file that is truncated while it is mapped kills its
// reader by SIGBUS).
//
// Not libelf: all that is needed of the format are two tables of fixed-size entries, and libelf maps or reads
// whole files, keeps what it hands out until the end, and has had memory errors on damaged files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

// Where an ELF file's bytes come from.
class ElfBytes {
 public:
  virtual ~ElfBytes() = default;
  virtual std::uint64_t size() const = 0;
  // Fills `out` from `offset`; false when that many bytes are not there.
  virtual bool read(std::uint64_t offset, std::span<std::byte> out) const = 0;
  // Of the open file, which stays theirs; -1: they are in memory.
  virtual int fd() const { return -1; }
};

std::unique_ptr<ElfBytes> elf_bytes(UniqueFd fd);
std::unique_ptr<ElfBytes> elf_bytes(std::vector<std::byte> bytes);

struct ElfSection {
  std::string name;
  std::uint32_t type = 0;
  std::uint64_t flags = 0;
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t link = 0;
};

struct ElfSegment {
  std::uint32_t type = 0;
  std::uint32_t flags = 0;
  std::uint64_t offset = 0;
  std::uint64_t address = 0;
  std::uint64_t file_size = 0;
  std::uint64_t memory_size = 0;
};

class ElfFile {
 public:
  static constexpr std::size_t kMaxSections = 65'535;
  static constexpr std::size_t kMaxSegments = 4'096;
  // What claims to be longer is not read whole: call-frame information of 128 MB describes gigabytes of code.
  static constexpr std::uint64_t kMaxSectionBytes = std::uint64_t{128} << 20;

  static Result<ElfFile> open(std::unique_ptr<ElfBytes> bytes);

  const ElfBytes& bytes() const { return *bytes_; }
  std::uint16_t machine() const { return machine_; }
  const std::vector<ElfSection>& sections() const { return sections_; }
  const std::vector<ElfSegment>& segments() const { return segments_; }
  // The first section of this name; nullptr: there is none.
  const ElfSection* section(std::string_view name) const;
  // Its bytes, unpacked when it is compressed (SHF_COMPRESSED with zlib). Empty when it has none in the file
  // or they are damaged.
  std::vector<std::byte> contents(const ElfSection& section) const;
  // From the note NT_GNU_BUILD_ID, as lower-case hex; empty: none.
  const std::string& build_id() const { return build_id_; }

  // The virtual address at which the byte at `offset` is loaded; nothing when it is in no loaded segment.
  std::optional<std::uint64_t> address_of(std::uint64_t offset) const;
  // The lowest and the end of the highest loaded address.
  std::uint64_t low_address() const { return low_; }
  std::uint64_t end_address() const { return end_; }

 private:
  bool read_segments(std::uint64_t offset, std::size_t count);
  void read_sections(std::uint64_t offset, std::size_t count, std::size_t names);
  void read_build_id();
  std::vector<std::byte> read(std::uint64_t offset, std::uint64_t size, std::uint64_t most) const;

  std::unique_ptr<ElfBytes> bytes_;
  std::uint16_t machine_ = 0;
  std::uint64_t low_ = 0, end_ = 0;
  std::vector<ElfSection> sections_;
  std::vector<ElfSegment> segments_;
  std::string build_id_;
};

// The build id in a block of ELF notes; empty: there is none.
std::string build_id_of_notes(std::span<const std::byte> notes);

}  // namespace plumb
