#include "symbol/section_bytes.h"

#include <elf.h>

#include <algorithm>

namespace plumb {

SectionBytes::SectionBytes(std::vector<std::byte> bytes) : whole_(std::move(bytes)), size_(whole_.size()) {}

SectionBytes::SectionBytes(const ElfBytes& file, const ElfSection& section) {
  if (section.type == SHT_NOBITS || section.size == 0 || section.size > ElfFile::kMaxSectionBytes ||
      section.offset > file.size() || file.size() - section.offset < section.size)
    return;
  blocks_.reset(static_cast<std::byte*>(std::calloc(static_cast<std::size_t>(section.size), 1)));
  if (!blocks_) return;
  size_ = static_cast<std::size_t>(section.size);
  file_ = &file;
  offset_ = section.offset;
  read_.resize((size_ + kBlock - 1) / kBlock);
}

void SectionBytes::fetch(std::size_t offset, std::size_t count) {
  if (file_ == nullptr || offset >= size_ || count == 0) return;
  const std::size_t last = (offset + std::min(count, size_ - offset) - 1) / kBlock;
  for (std::size_t block = offset / kBlock; block <= last; ++block) {
    if (read_[block]) continue;
    read_[block] = true;
    const std::size_t begin = block * kBlock;
    file_->read(offset_ + begin, {blocks_.get() + begin, std::min(kBlock, size_ - begin)});
  }
}

}  // namespace plumb
