// The kernel's own symbols, for turning code addresses into names. /proc/kallsyms has 100,000 to 300,000
// lines; only code is kept, as one sorted array of addresses and one block of names: about 3 MB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

struct KernelSymbol {
  std::string_view name;     // valid as long as the table
  std::uint64_t offset = 0;  // of the address from the symbol's start
};

// A parsed table.
class KernelSymbolTable {
 public:
  // More than any kernel has; what is beyond is left out.
  static constexpr std::size_t kMaxSymbols = std::size_t{1} << 20;

  // Feeds text in the format of /proc/kallsyms, in pieces of any size. Lines that are not in the format are
  // skipped.
  void feed(std::string_view piece);
  // After the last piece: sorts.
  void finish();

  // The symbol that `address` lies in. Nothing for addresses below the first symbol, or so far behind one
  // that they cannot belong to it.
  std::optional<KernelSymbol> find(std::uint64_t address) const;
  std::size_t size() const { return entries_.size(); }
  // All addresses were 0: the kernel hides them from this process.
  bool hidden() const { return lines_ != 0 && entries_.empty(); }

 private:
  struct Entry {
    std::uint64_t address;
    std::uint32_t name;  // offset in names_
  };
  void add_line(std::string_view line);

  std::vector<Entry> entries_;
  std::string names_;    // each ends with NUL
  std::string partial_;  // the line that the last piece ended within
  std::size_t lines_ = 0;
};

// /proc/kallsyms, read when the first address is asked for. open() must come before capabilities are given
// up: whether addresses show is decided by who opens the file (kernel/kallsyms.c, kallsyms_open).
class KernelSymbols {
 public:
  static KernelSymbols open(const char* path = "/proc/kallsyms");

  // The symbol of an address; nothing when it is in none, or when symbols are not available.
  std::optional<KernelSymbol> find(std::uint64_t address);
  // Why there are no symbols; empty while nothing is wrong. Known after the first find().
  const std::string& problem() const { return problem_; }

 private:
  void load();

  UniqueFd fd_;
  bool loaded_ = false;
  KernelSymbolTable table_;
  std::string problem_;
};

// "nft_do_chain+0x1a3", or "0xffffffff81234567" when there is no symbol.
void append_location(std::string& out, std::uint64_t address, const std::optional<KernelSymbol>& symbol);

}  // namespace plumb
