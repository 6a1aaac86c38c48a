// Text from outside is hostile: command names, DNS names, paths may hold any byte. These functions make it
// safe to print, without allocating where the caller brings the buffer.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

// Appends `text` for a terminal: control bytes (C0, DEL, C1) and bytes that are not UTF-8 come out as \xNN, a
// newline as \n, a tab as \t; what reorders a line or is not seen (bidirectional marks, zero-width spaces and joiners,
// line separators) as \u{...}, since a name that holds it can look like another. Returns the columns that this takes on a terminal (display_width of `text`).
std::size_t append_printable(std::string& out, std::string_view text);

// Appends `text` as the inside of a JSON string (RFC 8259, section 7): valid UTF-8 passes, other bytes become
// U+FFFD. Besides what JSON demands, DEL, C1 controls and what append_printable writes as \u{...} are written as \uNNNN: the
// value is the same, and a line that lands on a terminal is harmless.
void append_json_escaped(std::string& out, std::string_view text);
// Whether it has nothing but ASCII that needs no escape: then that appends it as it is.
bool is_plain_json(std::string_view text);

// The text of a field that NUL ends, or the field's end: a command name of the kernel.
inline std::string_view padded_text(const char (&field)[16]) {
  std::uint64_t words[2];
  std::memcpy(words, field, sizeof words);
  for (std::size_t i = 0; i < 2; ++i) {
    // The lowest bit that is set belongs to the first byte that is 0.
    const std::uint64_t nul = (words[i] - 0x0101010101010101U) & ~words[i] & 0x8080808080808080U;
    if (nul != 0) return {field, i * 8 + static_cast<std::size_t>(std::countr_zero(nul)) / 8};
  }
  return {field, sizeof field};
}
static_assert(std::endian::native == std::endian::little);

// The columns that `text` takes on a terminal, as append_printable would print it. East Asian wide characters
// count 2.
std::size_t display_width(std::string_view text);

// The candidates that a mistyped word most likely meant, best first: at most `most`, by Damerau-Levenshtein
// distance (at most a third of the word's length, but always 1, and 2 from four letters on) or by being a
// prefix. Letter case does not count.
std::vector<std::string_view> suggestions(std::string_view word,
                                          const std::vector<std::string_view>& candidates,
                                          std::size_t most = 3);

}  // namespace plumb
