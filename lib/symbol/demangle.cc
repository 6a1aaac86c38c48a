#include "symbol/demangle.h"

#include <cxxabi.h>
#include <llvm/Demangle/Demangle.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

namespace plumb {
namespace {

constexpr std::size_t kMaxMangled = 4'096;
constexpr std::size_t kMaxDemangled = 16'384;

using Text = std::unique_ptr<char, decltype(&std::free)>;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// "::h" and 16 hexadecimal digits at the end: a C++ name that rustc made.
bool has_rust_hash(std::string_view name) {
  return name.size() > 19 && name.substr(name.size() - 19, 3) == "::h" &&
         std::ranges::all_of(name.substr(name.size() - 16), is_hex);
}

// rustc, compiler/rustc_symbol_mangling/src/legacy.rs: what stands for bytes that C++ names cannot have.
std::optional<std::pair<std::string, std::size_t>> rust_escape(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kEscapes{{{"$SP$", "@"},
                                                                                          {"$BP$", "*"},
                                                                                          {"$RF$", "&"},
                                                                                          {"$LT$", "<"},
                                                                                          {"$GT$", ">"},
                                                                                          {"$LP$", "("},
                                                                                          {"$RP$", ")"},
                                                                                          {"$C$", ","}}};
  for (const auto& [escape, plain] : kEscapes) {
    if (text.starts_with(escape)) return std::pair{std::string(plain), escape.size()};
  }
  if (!text.starts_with("$u")) return std::nullopt;
  const std::size_t end = text.find('$', 2);
  if (end == std::string_view::npos || end > 6) return std::nullopt;
  const std::string digits(text.substr(2, end - 2));
  if (digits.empty() || !std::ranges::all_of(digits, is_hex)) return std::nullopt;
  const unsigned long code = std::strtoul(digits.c_str(), nullptr, 16);
  if (code < 0x20 || code > 0x7e) return std::nullopt;
  return std::pair{std::string(1, static_cast<char>(code)), end + 1};
}

std::string plain_rust(std::string_view name) {
  name.remove_suffix(19);
  std::string out;
  bool begins = true;
  while (!name.empty()) {
    // A part that would begin with an escape has an underscore in front.
    if (begins && name.starts_with("_$")) name.remove_prefix(1);
    begins = false;
    if (const auto escape = rust_escape(name)) {
      out += escape->first;
      name.remove_prefix(escape->second);
    } else if (name.starts_with("..")) {
      out += "::";
      name.remove_prefix(2);
    } else {
      begins = name.starts_with("::");
      const std::size_t taken = begins ? 2 : 1;
      out += name.substr(0, taken);
      name.remove_prefix(taken);
    }
  }
  return out;
}

// LLVM 14 to 16 fill a buffer as __cxa_demangle does; later ones take the name alone.
template <class Name>
char* rust_v0(Name name) {
  if constexpr (requires { llvm::rustDemangle(name, nullptr, nullptr, nullptr); }) {
    return llvm::rustDemangle(name, nullptr, nullptr, nullptr);
  } else {
    return llvm::rustDemangle(name);
  }
}

}  // namespace

std::string demangled(std::string_view name) {
  const bool cxx = name.starts_with("_Z");
  const bool rust = name.starts_with("_R");
  if ((!cxx && !rust) || name.size() > kMaxMangled) return std::string(name);
  std::string terminated(name);
  const Text text(
      rust ? rust_v0(terminated.c_str()) : abi::__cxa_demangle(terminated.c_str(), nullptr, nullptr, nullptr),
      &std::free);
  if (!text) return terminated;
  const std::string_view plain(text.get());
  if (plain.size() > kMaxDemangled) return terminated;
  if (cxx && has_rust_hash(plain)) return plain_rust(plain);
  return std::string(plain);
}

}  // namespace plumb
