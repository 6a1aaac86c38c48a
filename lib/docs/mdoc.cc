#include "docs/mdoc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/utf8.h"

namespace plumb::mdoc {
namespace {

constexpr std::size_t kLine = 78;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Appends one character; true when it needed no escape that running text and literal text differ in.
void append_character(std::string& out, char32_t code, bool literal) {
  switch (code) {
    case '\\':
      out += "\\e";
      return;
    case '`':
      out += "\\(ga";
      return;
    case '\'':
      out += literal ? "\\(aq" : "'";
      return;
    case '^':
      out += "\\(ha";
      return;
    case '~':
      out += "\\(ti";
      return;
    case '-':
      out += literal ? "\\-" : "-";
      return;
    default:
      break;
  }
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return;
  if (code < 0x7f) {
    out += static_cast<char>(code);
  } else {
    fmt::format_to(std::back_inserter(out), "\\[u{:04X}]", static_cast<std::uint32_t>(code));
  }
}

std::string escape(std::string_view text, bool literal) {
  std::string out;
  while (!text.empty()) {
    const Utf8Step step = decode_utf8(text);
    append_character(out, step.valid ? step.code : U'?', literal);
    text.remove_prefix(step.size);
  }
  return out;
}

std::string without_quotes(std::string text) {
  for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at))
    text.replace(at, 1, "\\(dq");
  return text;
}

// Whether the word is an option or holds one: "--role", "(-p", "--otlp=URL".
bool is_option(std::string_view word) {
  const std::size_t at = word.find_first_not_of("([`'\"");
  return at != std::string_view::npos && word[at] == '-' && at + 1 < word.size();
}

struct Reference {
  std::string_view open, name, section, close;  // without a section: a function
};

// "ip-netns(8)," as a reference to another page, "connect()" as a function.
bool parse_reference(std::string_view word, Reference& r) {
  const std::size_t start = word.find_first_not_of('(');
  if (start == std::string_view::npos || start > 1) return false;
  const std::size_t open = word.find('(', start);
  if (open == std::string_view::npos || open == start || open + 1 >= word.size()) return false;
  const std::size_t digits = is_digit(word[open + 1]) ? 1 : 0;
  const std::string_view rest = word.substr(open + 1 + digits);
  if (!rest.starts_with(')')) return false;
  r = {word.substr(0, start), word.substr(start, open - start), word.substr(open + 1, digits),
       rest.substr(1)};
  const bool named = std::all_of(r.name.begin(), r.name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
  });
  return named && is_letter(r.name.front()) && r.close.find_first_not_of(".,;:)") == std::string_view::npos;
}

std::string reference_line(const Reference& r) {
  std::string line = ".";
  if (!r.open.empty()) line += "Pq ";
  line +=
      r.section.empty() ? fmt::format("Fn {}", argument(r.name)) : fmt::format("Xr {} {}", r.name, r.section);
  bool within = !r.open.empty();
  for (const char c : r.close) {
    if (c == ')' && within) {
      within = false;  // Pq closes it
      continue;
    }
    line += fmt::format(" {}", c);
  }
  return line;
}

bool is_abbreviation(std::string_view word) {
  return word.ends_with("e.g.") || word.ends_with("i.e.");
}

bool ends_sentence(std::string_view word) {
  const std::size_t last = word.find_last_not_of(")\"'");
  if (last == std::string_view::npos || last == 0) return false;
  return (word[last] == '.' || word[last] == '!' || word[last] == '?') && !is_abbreviation(word);
}

// Lays words on lines.
class Lines {
 public:
  explicit Lines(std::string& out) : out_(out) {}
  ~Lines() { end(); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  void word(std::string_view word) {
    if (Reference r; parse_reference(word, r)) {
      end();
      out_ += reference_line(r) + '\n';
      return;
    }
    std::string text = is_option(word) ? escape_literal(word) : escape_text(word);
    if (is_abbreviation(word)) text += "\\&";  // no sentence ends here
    if (!line_.empty() && line_.size() + 1 + text.size() > kLine) end();
    if (line_.empty() && (text.starts_with('.') || text.starts_with('\''))) text.insert(0, "\\&");
    if (!line_.empty()) line_ += ' ';
    line_ += text;
    if (ends_sentence(word)) end();
  }
  void end() {
    if (line_.empty()) return;
    out_ += line_ + '\n';
    line_.clear();
  }

 private:
  std::string& out_;
  std::string line_;
};

}  // namespace

std::string escape_text(std::string_view text) {
  return escape(text, false);
}
std::string escape_literal(std::string_view text) {
  return escape(text, true);
}

std::string escape_heading(std::string_view text) {
  return without_quotes(escape_text(text));
}

std::string argument(std::string_view literal) {
  std::string text = without_quotes(escape_literal(literal));
  // Every mdoc macro's name has two or three characters; every delimiter has one.
  if (text.size() <= 3 && !text.starts_with('\\')) text.insert(0, "\\&");
  return text.find(' ') == std::string::npos ? text : fmt::format("\"{}\"", text);
}

void append_text(std::string& out, std::string_view text) {
  Lines lines(out);
  bool any = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n\t"), text.size());
    if (end > 0) lines.word(text.substr(0, end));
    any = any || end > 0;
    if (any && text.substr(end).starts_with("\n\n")) {
      lines.end();
      text.remove_prefix(std::min(text.find_first_not_of(" \n\t", end), text.size()));
      if (!text.empty()) out += ".Pp\n";
      continue;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace plumb::mdoc
