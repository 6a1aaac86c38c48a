// The files that the sampled processes run from, opened while the processes live: through the attacher, which keeps
// the privileges that this takes. Of a process that is gone the file is looked for below plumb's own root and taken
// only when it is the same one, by its inode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "probe/attacher.h"

namespace plumb {

// Where a process has mapped what.
struct MappedPart {
  std::uint32_t pid = 0;
  std::uint64_t start = 0, end = 0;
  std::string_view path;
  std::uint64_t inode = 0;
};

class TargetFiles {
 public:
  // While plumb has one thread and all its privileges.
  Result<void> start();

  // The text of /proc/PID/maps; empty: it is gone.
  std::string maps(std::uint32_t pid);
  // A file that a process runs from; none: it cannot be had.
  UniqueFd open_mapped(const MappedPart& part);
  // A regular file below a process's root, such as its perf map.
  UniqueFd open_in_root(std::uint32_t pid, std::string_view path);
  // The process's own number in its innermost PID namespace (what it calls its files by); `pid` when unknown.
  std::uint32_t own_number(std::uint32_t pid);

  // The path of the program that it runs, as it sees it; empty: unknown.
  std::string program(std::uint32_t pid);

 private:
  std::optional<Attacher> attacher_;
};

// A regular file below plumb's own root. Nothing else is ever opened: the path is a process's own choice, and opening a
// device can be an act.
UniqueFd open_regular(const std::string& path);

// Where a runtime leaves names of the code that it made, by its own process number.
std::string perf_map_path(std::uint32_t own_number);

// All of a descriptor's text, up to a bound.
std::string read_text(int fd, std::size_t most);

}  // namespace plumb
