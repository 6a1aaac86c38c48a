#include "flame/kernel_names.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace plumb {
namespace {

// "nft_do_chain [nf_tables]"; an address that has no symbol comes back as "0xffff...".
std::string_view name_in(std::string_view text) {
  if (text.starts_with("0x")) return {};
  return text.substr(0, text.find(' '));
}

}  // namespace

// False: /proc/kallsyms has to be read.
bool KernelNames::ask(std::span<const std::uint64_t> addresses) {
  if (!source_.ask) return false;
  flame_names& names = *source_.names;
  names.count = addresses.size();
  std::ranges::copy(addresses, names.address);
  if (!source_.ask()) {
    source_ = {};
    return false;
  }
  for (std::size_t i = 0; i < addresses.size(); ++i)
    names_.emplace(addresses[i], name_in({names.name[i], ::strnlen(names.name[i], sizeof names.name[i])}));
  return true;
}

void KernelNames::learn(std::span<const std::uint64_t> addresses) {
  std::vector<std::uint64_t> unknown(addresses.begin(), addresses.end());
  std::erase_if(unknown, [this](std::uint64_t a) { return names_.contains(a); });
  for (std::span<const std::uint64_t> rest = unknown; !rest.empty();) {
    const auto part = rest.first(std::min<std::size_t>(rest.size(), FLAME_NAMES_AT_ONCE));
    rest = rest.subspan(part.size());
    if (ask(part)) continue;
    for (const std::uint64_t address : part) {
      const auto symbol = symbols_.find(address);
      names_.emplace(address, symbol ? symbol->name : std::string_view{});
    }
  }
}

std::string_view KernelNames::find(std::uint64_t address) {
  if (const auto known = names_.find(address); known != names_.end()) return known->second;
  learn({&address, 1});
  return names_[address];
}

}  // namespace plumb
