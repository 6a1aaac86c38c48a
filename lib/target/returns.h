// Where a function returns. A uprobe on each of these instructions sees what a uretprobe would, without its
// trampoline: uretprobes kill processes that live under a seccomp filter (Linux 6.11: the uretprobe system call), and
// they confuse whoever walks the stack, Go's runtime first of all.
//
// The idea: decode the function from its first byte to its last. Each instruction must be known and each jump that
// stays inside must land on one, else there is data in between, and a probe might be written into it: then the
// function is refused. A jump that leaves is a tail call, and its target returns in the function's name: a whole
// function where its size is known (gnutls_record_send is nothing but a jump to gnutls_record_send2, through the PLT),
// else what is reached from the target on. The stack pointer tells whose return it is: at `ret` it is what it was at the entry.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace plumb {

struct CodeRange {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
};

// The code that a function is part of.
class CodeSource {
 public:
  virtual ~CodeSource() = default;
  // Bytes by their address; empty where there is no code. May give less than was asked for.
  virtual std::vector<std::byte> read(std::uint64_t address, std::size_t size) const = 0;
  // The function that starts there, when its size is known.
  virtual std::optional<CodeRange> function_at(std::uint64_t address) const = 0;
  // The function of the same file that a slot of the global offset table will hold.
  virtual std::optional<std::uint64_t> slot_target(std::uint64_t slot) const = 0;
};

// Bounds: what is larger is refused, since it is not one of the functions that are probed.
constexpr std::size_t kMaxFunctionBytes = 128 * 1024;
constexpr std::size_t kMaxReturns = 64;

// The addresses of all return instructions, ascending. An Error says why the function cannot be probed at its end.
Result<std::vector<std::uint64_t>> find_returns(CodeRange function, const CodeSource& code);

}  // namespace plumb
