// instruction_compare: reads what `objdump -d -w --insn-width=16 FILE` prints and decodes each instruction's bytes, with
// others behind them. Says where the length, or whether it is a return, differs.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "target/instruction.h"

namespace {

constexpr std::size_t kShown = 20;

// "  401000:\t48 89 e5             \tmov    %rsp,%rbp"
struct Line {
  std::vector<std::byte> bytes;
  std::string text;
};

bool parse(const std::string& line, Line& out) {
  const std::size_t colon = line.find(":\t");
  if (colon == std::string::npos || line.find_first_not_of(" 0123456789abcdef") != colon) return false;
  const std::size_t tab = line.find('\t', colon + 2);
  const std::string hex = line.substr(colon + 2, tab == std::string::npos ? tab : tab - colon - 2);
  out = {};
  unsigned byte = 0;
  int used = 0;
  for (const char* p = hex.c_str(); std::sscanf(p, "%2x%n", &byte, &used) == 1; p += used)
    out.bytes.push_back(static_cast<std::byte>(byte));
  if (tab == std::string::npos) return false;  // data between functions, dumped as such
  out.text = line.substr(tab + 1);
  return !out.bytes.empty();
}

// Data that lies between functions: no instruction, or a prefix that stands alone.
bool is_data(const std::string& text) {
  const std::string word = text.substr(0, text.find(' '));
  return text.find("(bad)") != std::string::npos ||
         (word.starts_with("rex") && word.size() >= text.find_last_not_of(' '));
}

// Prefixes of a return are printed as words in front of it.
bool is_return(const std::string& text) {
  const std::string first = text.substr(0, text.find_first_of("$#"));
  const std::size_t at = first.find("ret");
  return at != std::string::npos && first.find("lret") == std::string::npos &&
         first.find("iret") == std::string::npos && first.find("sysret") == std::string::npos &&
         first.find_first_of("<%(") == std::string::npos;
}

}  // namespace

int main() {
  std::size_t seen = 0;
  std::size_t wrong = 0;
  Line line;
  for (std::string text; std::getline(std::cin, text);) {
    if (!parse(text, line) || is_data(line.text)) continue;
    const std::size_t length = line.bytes.size();
    line.bytes.resize(length + 15);
    const auto decoded = plumb::decode_x86_64(line.bytes);
    ++seen;
    if (decoded && decoded->length == length &&
        (decoded->flow == plumb::Flow::returns) == is_return(line.text))
      continue;
    if (wrong++ < kShown)
      std::printf("%d bytes instead of %zu: %s\n", decoded ? decoded->length : 0, length, text.c_str());
  }
  std::printf("%zu instructions, %zu wrong\n", seen, wrong);
  return wrong == 0 && seen != 0 ? 0 : 1;
}
