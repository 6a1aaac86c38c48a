// What a compiler put inside a function (inlined calls), and the source line of an address, by DWARF. libdw maps the file
// and trusts what it says about sizes: for files of others, in a process that may die (flame/inline_reader.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plumb {

struct SourceFrame {
  std::string function;  // as the file has it: the linkage name where there is one
  std::string file;      // empty: unknown
  std::uint32_t line = 0;
};

struct InlinedAt {
  std::uint64_t address = 0;
  std::vector<SourceFrame>
      frames;  // the function in whose code it is, then what is inlined there, outermost first
};

// Frames of one address at most; further ones are left out.
inline constexpr std::size_t kMostInlined = 64;

class InlinedSink {
 public:
  virtual ~InlinedSink() = default;
  virtual void found(const InlinedAt& at) = 0;
};

// Gives what is known of each of `addresses`, which are the file's own and ascending, one compilation unit after another.
// False: the file's debug information cannot be read.
bool walk_inlined(int fd, std::span<const std::uint64_t> addresses, InlinedSink& sink);

}  // namespace plumb
