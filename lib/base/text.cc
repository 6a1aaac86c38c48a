#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/unicode_width.h"
#include "base/utf8.h"

namespace plumb {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// Eight bytes at a time: the high bit of a byte is set where the test holds, exact as far as the lowest such
// byte.
constexpr std::uint64_t every(std::uint8_t b) {
  return 0x0101010101010101ULL * b;
}
constexpr std::uint64_t equal(std::uint64_t x, std::uint8_t b) {
  const std::uint64_t y = x ^ every(b);
  return (y - every(1)) & ~y & every(0x80);
}
constexpr std::uint64_t control_or_high(std::uint64_t x) {
  return ((x - every(0x20)) & ~x & every(0x80)) | (x & every(0x80)) | equal(x, 0x7f);
}

constexpr bool is_control_or_high(char c) {
  const auto b = static_cast<std::uint8_t>(c);
  return b < 0x20 || b >= 0x7f;
}

struct ForTerminal {
  static std::uint64_t special(std::uint64_t x) { return control_or_high(x); }
  static bool special(char c) { return is_control_or_high(c); }
};
struct ForJson {
  static std::uint64_t special(std::uint64_t x) {
    return control_or_high(x) | equal(x, '"') | equal(x, '\\');
  }
  static bool special(char c) { return is_control_or_high(c) || c == '"' || c == '\\'; }
};

// How many bytes at the front need nothing done to them.
template <class For>
std::size_t plain_prefix(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t x;
    std::memcpy(&x, text.data() + i, 8);
    if (For::special(x) != 0) break;
  }
  while (i < text.size() && !For::special(text[i])) ++i;
  return i;
}

// Characters that move or reorder what is on the line: C1 controls (a terminal may take U+009B as CSI), the line and
// paragraph separators, and bidirectional marks, embeddings, overrides and isolates. And those that nobody sees, by which
// a name can look like another: zero-width spaces and joiners, the byte order mark, tags.
bool is_c1(char32_t code) {
  return code >= 0x80 && code < 0xa0;
}
bool is_deceptive(char32_t code) {
  if (code < 0x2000) return code == 0x61c;
  return (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xe0000 && code <= 0xe0fff);
}

void append_hex_bytes(std::string& out, std::string_view bytes) {
  for (char c : bytes) {
    const auto b = static_cast<std::uint8_t>(c);
    const char escape[] = {'\\', 'x', kHex[b >> 4], kHex[b & 15]};
    out.append(escape, sizeof escape);
  }
}

// Of RFC 8259, section 7: what is above U+FFFF as a surrogate pair.
void append_u_escape(std::string& out, char32_t code) {
  if (code > 0xffff) {
    append_u_escape(out, 0xd800 + ((code - 0x10000) >> 10));
    code = 0xdc00 + (code & 0x3ff);
  }
  const char escape[] = {
      '\\', 'u', kHex[code >> 12 & 15], kHex[code >> 8 & 15], kHex[code >> 4 & 15], kHex[code & 15]};
  out.append(escape, sizeof escape);
}

// \u{202e}; the columns that it takes.
std::size_t append_braced(std::string& out, char32_t code) {
  const std::size_t before = out.size();
  out += "\\u{";
  for (int shift = code > 0xffff ? 16 : 12; shift >= 0; shift -= 4) out += kHex[code >> shift & 15];
  out += '}';
  return out.size() - before;
}

// Takes what is special at the front of `text`, appends its printable form, and adds the columns it takes.
std::size_t print_special(std::string& out, std::string_view text, std::size_t& columns) {
  if (text.front() == '\n' || text.front() == '\t') {
    out += text.front() == '\n' ? "\\n" : "\\t";
    columns += 2;
    return 1;
  }
  const Utf8Step step = decode_utf8(text);
  if (!step.valid || step.code < ' ' || step.code == 0x7f || is_c1(step.code)) {
    append_hex_bytes(out, text.substr(0, step.size));
    columns += 4 * std::size_t{step.size};
  } else if (is_deceptive(step.code)) {
    columns += append_braced(out, step.code);
  } else {
    out.append(text.substr(0, step.size));
    columns += code_point_width(step.code);
  }
  return step.size;
}

std::size_t escape_special(std::string& out, std::string_view text) {
  switch (text.front()) {
    case '"':
      out += "\\\"";
      return 1;
    case '\\':
      out += "\\\\";
      return 1;
    case '\n':
      out += "\\n";
      return 1;
    case '\r':
      out += "\\r";
      return 1;
    case '\t':
      out += "\\t";
      return 1;
    case '\b':
      out += "\\b";
      return 1;
    case '\f':
      out += "\\f";
      return 1;
    default:
      break;
  }
  const Utf8Step step = decode_utf8(text);
  if (!step.valid) {
    out += "\xef\xbf\xbd";  // U+FFFD
  } else if (step.code < ' ' || step.code == 0x7f || is_c1(step.code) || is_deceptive(step.code)) {
    append_u_escape(out, step.code);
  } else {
    out.append(text.substr(0, step.size));
  }
  return step.size;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string s(text);
  std::transform(s.begin(), s.end(), s.begin(), [](char c) { return lower(c); });
  return s;
}

// Damerau-Levenshtein, optimal string alignment: insert, delete, replace, swap neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> d((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) d[i * width] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = d[(i - 1) * width + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      std::size_t best = std::min({replace, d[(i - 1) * width + j] + 1, d[i * width + j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = std::min(best, d[(i - 2) * width + j - 2] + 1);
      }
      d[i * width + j] = best;
    }
  }
  return d.back();
}

constexpr std::size_t kLongestWord = 64;  // nobody mistypes that; bounds the work on hostile input

}  // namespace

std::size_t append_printable(std::string& out, std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const std::size_t plain = plain_prefix<ForTerminal>(text);
    out.append(text.data(), plain);
    columns += plain;
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(print_special(out, text, columns));
  }
  return columns;
}

void append_json_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t plain = plain_prefix<ForJson>(text);
    out.append(text.data(), plain);
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(escape_special(out, text));
  }
}

bool is_plain_json(std::string_view text) {
  return plain_prefix<ForJson>(text) == text.size();
}

std::size_t display_width(std::string_view text) {
  const std::size_t plain = plain_prefix<ForTerminal>(text);
  if (plain == text.size()) return plain;
  std::string printed;
  return plain + append_printable(printed, text.substr(plain));
}

std::vector<std::string_view> suggestions(std::string_view word,
                                          const std::vector<std::string_view>& candidates, std::size_t most) {
  if (word.empty() || word.size() > kLongestWord) return {};
  const std::string typed = lower(word);
  const std::size_t allowed = std::max(typed.size() / 3, typed.size() >= 4 ? std::size_t{2} : std::size_t{1});
  std::vector<std::pair<std::size_t, std::string_view>> near;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kLongestWord) continue;
    const std::string name = lower(candidate);
    std::size_t distance = edit_distance(typed, name);
    if (name.starts_with(typed)) distance = std::min(distance, std::size_t{1});
    if (distance <= allowed) near.emplace_back(distance, candidate);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string_view> best;
  for (const auto& [distance, candidate] : near) {
    if (best.size() == most) break;
    best.push_back(candidate);
  }
  return best;
}

}  // namespace plumb
