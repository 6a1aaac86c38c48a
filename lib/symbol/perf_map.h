// Names of code that a runtime compiled while it ran: /tmp/perf-PID.map, one line "START SIZE name" a
// function, in hexadecimal. Runtimes append to it for as long as they run, and an address that is used again
// stands there again; the last line counts. Any process can write such a file, so all of it is hostile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "symbol/elf_symbols.h"

namespace plumb {

// Streams the text past the addresses that want names.
class PerfMapSearch {
 public:
  explicit PerfMapSearch(std::vector<WantedName>& wanted) : wanted_(wanted) {}

  // Text in pieces of any size. Lines that are not in the format are skipped.
  void feed(std::string_view piece);
  void finish();

 private:
  void line(std::string_view text);

  std::vector<WantedName>& wanted_;  // ascending by address
  std::string partial_;
};

}  // namespace plumb
