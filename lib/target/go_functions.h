// Functions of a Go program by name, from the table that its runtime needs for tracebacks (pclntab) and that strip(1)
// therefore leaves in. Layout: runtime/symtab.go (pcHeader, functab, _func) of Go 1.16 to 1.26.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "target/returns.h"

namespace plumb {

class GoFunctions {
 public:
  // `table` starts at the header and stays valid. Nothing when it is no such table, or one of another byte order or
  // word size. What follows the table in `table` does no harm.
  static std::optional<GoFunctions> parse(std::span<const std::byte> table);

  // Bytes that are enough for looks_like_table().
  static constexpr std::size_t kHeaderBytes = 72;
  static bool looks_like_table(std::span<const std::byte> header);

  // The range of a function; its address counts from the start of the text where relative() says so. Linear in the
  // number of functions.
  std::optional<CodeRange> find(std::string_view name) const;

  // Since 1.18 addresses are offsets from the start of the program's text.
  bool relative() const { return relative_; }
  // That start, when the header tells. Go 1.26 leaves it 0.
  std::optional<std::uint64_t> text_start() const;
  std::size_t count() const { return count_; }
  std::uint64_t first_entry() const { return entry(0); }

 private:
  explicit GoFunctions(std::span<const std::byte> table) : table_(table) {}
  std::uint64_t word(std::size_t index) const;
  std::uint64_t number(std::uint64_t offset, std::size_t size) const;
  std::uint64_t entry(std::size_t index) const;

  std::span<const std::byte> table_;
  bool relative_ = false;
  std::uint64_t text_start_ = 0;
  std::size_t count_ = 0;
  std::uint64_t names_ = 0;      // offset of the names
  std::uint64_t functions_ = 0;  // offset of functab, which the offsets of _func count from
};

// What `go build` wrote: "go1.24.4", from the contents of .go.buildinfo; empty when it says nothing (before 1.18 the
// version stands elsewhere).
std::string_view go_version(std::span<const std::byte> build_info);

}  // namespace plumb
