// The two kinds of entries of .eh_frame and .debug_frame: what functions have in common (CIE), and one
// function (FDE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace plumb {

struct CfiSection {
  std::span<const std::byte> bytes;
  std::uint64_t address;  // where it is loaded; encodings count from there
  bool debug_frame;
};

struct CfiCie {
  std::uint64_t code_align = 1;
  std::int64_t data_align = 1;
  std::uint64_t return_register = 0;
  std::uint8_t pointer_encoding = 0;  // DW_EH_PE_absptr
  bool augmented = false;             // FDEs have a length of augmentation data
  bool signal_frame = false;
  std::span<const std::byte> program;
};

struct CfiFde {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
  CfiCie cie;
  std::span<const std::byte> program;
};

struct CfiEntry {
  std::size_t next = 0;  // offset of the entry behind
  bool is_fde = false;
};

// What stands at `offset`; nothing at the end, or where the section is damaged beyond going on.
std::optional<CfiEntry> cfi_entry_at(const CfiSection& section, std::size_t offset);
// The FDE at `offset`; nothing when it or its CIE is damaged or of a kind that is not known.
std::optional<CfiFde> cfi_fde_at(const CfiSection& section, std::size_t offset);

}  // namespace plumb
