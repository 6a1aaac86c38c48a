// Names of code that a runtime compiled while it ran: jit-PID.dump, perf's binary format (its source's
// tools/perf/Documentation/jitdump-specification.txt), which V8 writes with --perf-prof, CPython with -X perf_jit and
// others through agents. A runtime maps the file executable for a page, which is how a profiler finds it, and appends to
// it for as long as it runs. The process writes it, so all of it is hostile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "symbol/elf_symbols.h"

namespace plumb {

// Whether a mapped file's path has the name of such a dump.
bool is_jit_dump(std::string_view path);

// Streams a dump past the addresses that want names. The last function at an address counts.
class JitDumpSearch {
 public:
  explicit JitDumpSearch(std::vector<WantedName>& wanted) : wanted_(wanted) {}

  // Bytes in pieces of any size. False: it is no dump of this machine's byte order, or broken from here on.
  bool feed(std::span<const std::byte> piece);

 private:
  bool begin_file();
  bool take_record();
  void load();
  void move();
  void name(std::uint64_t start, std::uint64_t size, std::string_view function);

  std::vector<WantedName>& wanted_;  // ascending by address
  std::unordered_map<std::uint64_t, std::string>
      names_;  // by the dump's index of functions, for those that move
  std::size_t name_bytes_ = 0;
  std::vector<std::byte> kept_;  // the begin of a header or record
  std::uint64_t wanted_bytes_ = 0, skip_ = 0;
  bool in_file_ = false, in_record_ = false, broken_ = false;
};

}  // namespace plumb
