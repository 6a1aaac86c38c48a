// The bytes of a section of which little is looked at: a capture meets some hundred functions, and the call-frame
// information of a large program has megabytes. Of a file only the blocks that were asked for are read.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "symbol/elf.h"

namespace plumb {

class SectionBytes {
 public:
  SectionBytes() = default;
  // All of it.
  explicit SectionBytes(std::vector<std::byte> bytes);
  // Of a section as it stands in the file, which outlives this. Empty when the file is too short.
  SectionBytes(const ElfBytes& file, const ElfSection& section);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // What was not fetched yet, or cannot be read, is zero.
  std::span<const std::byte> all() const { return {whole_.empty() ? blocks_.get() : whole_.data(), size_}; }
  // Reads what is missing of these bytes; those beyond the end are left out.
  void fetch(std::size_t offset, std::size_t count);

 private:
  static constexpr std::size_t kBlock = std::size_t{16} << 10;
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };

  std::vector<std::byte> whole_;
  std::unique_ptr<std::byte[], Free> blocks_;  // of calloc(): memory that nobody touches costs nothing
  std::size_t size_ = 0;
  const ElfBytes* file_ = nullptr;  // nullptr: all is there
  std::uint64_t offset_ = 0;        // in the file
  std::vector<bool> read_;          // by block
};

}  // namespace plumb
