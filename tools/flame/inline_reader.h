// Reads the debug information of the traced processes' files (symbol/inlined.h) in processes of its own: a small one that
// is forked while plumb still may, which holds no privileges and waits, and one of its children for each file, which has
// bounded memory and time, can open nothing, and may die of a damaged file or of one that is cut while it is mapped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "symbol/inlined.h"

namespace plumb {

struct InlinedAnswer {
  std::vector<InlinedAt> found;  // addresses of which nothing is known are left out
  bool whole = true;             // false: the reader died before it was through, or could not read the file
};

class InlineReader {
 public:
  InlineReader() = default;
  // Ends the processes.
  ~InlineReader();
  InlineReader(const InlineReader&) = delete;
  InlineReader& operator=(const InlineReader&) = delete;

  Result<void> start();
  bool started() const { return static_cast<bool>(socket_); }
  // `fd`: an ELF file with .debug_info; `addresses` as walk_inlined() takes them.
  InlinedAnswer read(int fd, std::span<const std::uint64_t> addresses);

 private:
  UniqueFd socket_;
  pid_t child_ = -1;
};

}  // namespace plumb
