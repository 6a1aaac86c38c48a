#include "symbol/inlined.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

namespace plumb {
namespace {

constexpr unsigned kDeepest = 256;  // of nested scopes and namespaces
constexpr std::size_t kMostName = 4'096;

struct EndDwarf {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text).substr(0, kMostName);
}

// A constructor's or a function's linkage name stands at its declaration, which dwarf_attr_integrate finds.
std::string name_of(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}}) {
    if (dwarf_attr_integrate(&die, name, &attribute) != nullptr) {
      if (const char* text = dwarf_formstring(&attribute); text != nullptr) return text_of(text);
    }
  }
  return text_of(dwarf_diename(&die));
}

std::uint32_t number_of(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr(&die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0) return 0;
  return static_cast<std::uint32_t>(std::min<Dwarf_Word>(value, UINT32_MAX));
}

// One compilation unit, for the addresses that are in it.
class Unit {
 public:
  Unit(Dwarf_Die& unit, std::map<std::uint64_t, InlinedAt>& found) : unit_(unit), found_(found) {
    if (dwarf_getsrcfiles(&unit_, &files_, &file_count_) != 0) files_ = nullptr;
  }

  void walk(std::span<const std::uint64_t> addresses) {
    visit_children(unit_, addresses, 0);
    for (const std::uint64_t address : addresses) {
      const auto at = found_.find(address);
      if (at != found_.end()) set_line(at->second);
    }
  }

 private:
  // Functions and what is inlined in them have addresses; namespaces and classes have not, and contain functions.
  void visit(Dwarf_Die& die, std::span<const std::uint64_t> addresses, unsigned depth) {
    switch (dwarf_tag(&die)) {
      case DW_TAG_namespace:
      case DW_TAG_module:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type:
      case DW_TAG_enumeration_type:
        return visit_children(die, addresses, depth);
      case DW_TAG_subprogram:
        return enter(die, addresses, depth, true);
      case DW_TAG_inlined_subroutine:
        return enter(die, addresses, depth, true);
      case DW_TAG_lexical_block:
        return enter(die, addresses, depth, false);
      default:
        return;
    }
  }

  void visit_children(Dwarf_Die& die, std::span<const std::uint64_t> addresses, unsigned depth) {
    Dwarf_Die child;
    if (depth > kDeepest || dwarf_child(&die, &child) != 0) return;
    do {
      visit(child, addresses, depth + 1);
    } while (dwarf_siblingof(&child, &child) == 0);
  }

  void enter(Dwarf_Die& die, std::span<const std::uint64_t> addresses, unsigned depth, bool is_function) {
    std::vector<std::uint64_t> inside;
    for (const std::uint64_t address : addresses) {
      if (dwarf_haspc(&die, address) == 1) inside.push_back(address);
    }
    if (inside.empty()) return;
    if (is_function && chain_.size() < kMostInlined) {
      push(die);
      for (const std::uint64_t address : inside) found_[address] = {address, chain_};
      visit_children(die, inside, depth);
      pop();
    } else {
      visit_children(die, inside, depth);
    }
  }

  // A call's line is that of its caller's frame.
  void push(Dwarf_Die& die) {
    outer_lines_.emplace_back();
    if (!chain_.empty()) {
      SourceFrame& caller = chain_.back();
      outer_lines_.back() = {caller.file, caller.line};
      caller.line = number_of(die, DW_AT_call_line);
      const std::uint32_t file = number_of(die, DW_AT_call_file);
      if (files_ != nullptr && file < file_count_)
        caller.file = text_of(dwarf_filesrc(files_, file, nullptr, nullptr));
    }
    chain_.push_back({.function = name_of(die), .file = {}});
  }

  void pop() {
    chain_.pop_back();
    if (!chain_.empty()) {
      chain_.back().file = outer_lines_.back().first;
      chain_.back().line = outer_lines_.back().second;
    }
    outer_lines_.pop_back();
  }

  void set_line(InlinedAt& at) {
    Dwarf_Line* line = dwarf_getsrc_die(&unit_, at.address);
    int number = 0;
    if (line == nullptr || dwarf_lineno(line, &number) != 0 || number <= 0) return;
    at.frames.back().line = static_cast<std::uint32_t>(number);
    at.frames.back().file = text_of(dwarf_linesrc(line, nullptr, nullptr));
  }

  Dwarf_Die& unit_;
  std::map<std::uint64_t, InlinedAt>& found_;
  Dwarf_Files* files_ = nullptr;
  std::size_t file_count_ = 0;
  std::vector<SourceFrame> chain_;
  std::vector<std::pair<std::string, std::uint32_t>> outer_lines_;
};

// Those of `addresses` in the unit's ranges, ascending.
std::vector<std::uint64_t> in_unit(Dwarf_Die& unit, std::span<const std::uint64_t> addresses) {
  std::vector<std::uint64_t> inside;
  Dwarf_Addr base = 0, begin = 0, end = 0;
  for (std::ptrdiff_t at = 0; (at = dwarf_ranges(&unit, at, &base, &begin, &end)) > 0;) {
    const auto first = std::ranges::lower_bound(addresses, begin);
    const auto last = std::lower_bound(first, addresses.end(), end);
    inside.insert(inside.end(), first, last);
  }
  std::ranges::sort(inside);
  inside.erase(std::unique(inside.begin(), inside.end()), inside.end());
  return inside;
}

}  // namespace

bool walk_inlined(int fd, std::span<const std::uint64_t> addresses, InlinedSink& sink) {
  const std::unique_ptr<Dwarf, EndDwarf> dwarf(dwarf_begin(fd, DWARF_C_READ));
  if (dwarf == nullptr) return false;
  Dwarf_CU* unit = nullptr;
  Dwarf_Half version = 0;
  std::uint8_t kind = 0;
  Dwarf_Die die, sub;
  // Not by .debug_aranges: clang and rustc write none.
  while (dwarf_get_units(dwarf.get(), unit, &unit, &version, &kind, &die, &sub) == 0) {
    const auto inside = in_unit(die, addresses);
    if (inside.empty()) continue;
    std::map<std::uint64_t, InlinedAt> found;
    Unit(die, found).walk(inside);
    for (const auto& [address, at] : found) sink.found(at);
  }
  return true;
}

}  // namespace plumb
