#include "symbol/kallsyms.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>

namespace plumb {
namespace {

// No function is longer; modules lie far from one another, and between them nothing belongs to the symbol
// before.
constexpr std::uint64_t kLongestFunction = 1 << 20;
constexpr std::size_t kLongestLine = 1024;  // KSYM_NAME_LEN is 512

}  // namespace

void KernelSymbolTable::add_line(std::string_view line) {
  std::uint64_t address = 0;
  const char* end = line.data() + line.size();
  const auto [rest, status] = std::from_chars(line.data(), end, address, 16);
  if (status != std::errc{} || end - rest < 4 || rest[0] != ' ' || rest[2] != ' ') return;
  ++lines_;
  // Code: in the text section, local or global, or weak.
  if (std::string_view("tTwW").find(rest[1]) == std::string_view::npos || address == 0) return;
  std::string_view name(rest + 3, static_cast<std::size_t>(end - rest - 3));
  name = name.substr(0, name.find_first_of(std::string_view("\t \r\0", 4)));
  if (name.empty() || entries_.size() >= kMaxSymbols) return;
  entries_.push_back({address, static_cast<std::uint32_t>(names_.size())});
  names_.append(name).push_back('\0');
}

void KernelSymbolTable::feed(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t newline = piece.find('\n');
    if (newline == std::string_view::npos) {
      if (partial_.size() < kLongestLine) partial_.append(piece);
      return;
    }
    if (partial_.empty()) {
      add_line(piece.substr(0, newline));
    } else {
      partial_.append(piece.substr(0, newline));
      add_line(partial_);
      partial_.clear();
    }
    piece.remove_prefix(newline + 1);
  }
}

void KernelSymbolTable::finish() {
  if (!partial_.empty()) add_line(partial_);
  partial_ = {};
  // Aliases keep the file's order, in which the kernel lists the preferred name first.
  std::ranges::stable_sort(entries_, {}, &Entry::address);
  entries_.shrink_to_fit();
  names_.shrink_to_fit();
}

std::optional<KernelSymbol> KernelSymbolTable::find(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(entries_, address, {}, &Entry::address);
  if (after == entries_.begin()) return std::nullopt;
  const auto first = std::ranges::lower_bound(entries_, std::prev(after)->address, {}, &Entry::address);
  const std::uint64_t offset = address - first->address;
  if (offset >= kLongestFunction) return std::nullopt;
  return KernelSymbol{names_.data() + first->name, offset};
}

KernelSymbols KernelSymbols::open(const char* path) {
  KernelSymbols symbols;
  symbols.fd_.reset(::open(path, O_RDONLY | O_CLOEXEC));
  if (!symbols.fd_) symbols.problem_ = std::string(path) + " cannot be read: " + errno_text(errno);
  return symbols;
}

void KernelSymbols::load() {
  loaded_ = true;
  if (!fd_) return;
  std::string piece(std::size_t{1} << 16, '\0');
  while (true) {
    const ssize_t n = ::read(fd_.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) problem_ = "/proc/kallsyms cannot be read: " + errno_text(errno);
    if (n <= 0) break;
    table_.feed({piece.data(), static_cast<std::size_t>(n)});
  }
  fd_.reset();
  table_.finish();
  if (table_.hidden()) {
    problem_ =
        "the kernel hides its addresses (kernel.kptr_restrict, or CAP_SYSLOG is missing): code locations "
        "stay "
        "numbers";
  }
}

std::optional<KernelSymbol> KernelSymbols::find(std::uint64_t address) {
  if (!loaded_) load();
  return table_.find(address);
}

void append_location(std::string& out, std::uint64_t address, const std::optional<KernelSymbol>& symbol) {
  if (symbol) {
    fmt::format_to(std::back_inserter(out), "{}+{:#x}", symbol->name, symbol->offset);
  } else {
    fmt::format_to(std::back_inserter(out), "{:#x}", address);
  }
}

}  // namespace plumb
