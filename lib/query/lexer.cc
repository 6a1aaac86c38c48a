#include "query/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/utf8.h"

namespace plumb::query {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
unsigned hex_value(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  return static_cast<unsigned>((c | 0x20) - 'a') + 10;
}

struct UnitName {
  std::string_view name;
  Unit unit;
  double scale;
};
constexpr auto kUnits = std::to_array<UnitName>({
    {"ns", Unit::duration, 1},
    {"us", Unit::duration, 1e3},
    {"ms", Unit::duration, 1e6},
    {"s", Unit::duration, 1e9},
    {"m", Unit::duration, 60e9},
    {"h", Unit::duration, 3600e9},
    {"B", Unit::size, 1},
    {"KB", Unit::size, 1e3},
    {"MB", Unit::size, 1e6},
    {"GB", Unit::size, 1e9},
    {"KiB", Unit::size, 1024},
    {"MiB", Unit::size, 1048576},
    {"GiB", Unit::size, 1073741824.0},
    {"%", Unit::percent, 1},
});

struct Symbol {
  std::string_view text;
  TokenKind kind;
};
// Longer ones first.
constexpr auto kSymbols = std::to_array<Symbol>({
    {"==", TokenKind::equal},
    {"!=", TokenKind::not_equal},
    {"<=", TokenKind::less_equal},
    {">=", TokenKind::greater_equal},
    {"=~", TokenKind::matches},
    {"!~", TokenKind::not_matches},
    {"&&", TokenKind::both},
    {"||", TokenKind::either},
    {"<", TokenKind::less},
    {">", TokenKind::greater},
    {"!", TokenKind::negate},
    {"(", TokenKind::open},
    {")", TokenKind::close},
    {",", TokenKind::comma},
    {"+", TokenKind::plus},
    {"-", TokenKind::minus},
    {"*", TokenKind::times},
    {"/", TokenKind::over},
});

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    std::vector<Token> tokens;
    for (;;) {
      while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
        ++at_;
      auto token = next();
      if (!token) return std::move(token).error();
      tokens.push_back(*std::move(token));
      if (tokens.back().kind == TokenKind::end) return tokens;
    }
  }

 private:
  Result<Token> next() {
    if (at_ == text_.size()) return token(TokenKind::end, at_);
    if (const std::size_t size = address_size(); size != 0) return address(size);
    const char c = text_[at_];
    if (is_letter(c)) {
      std::size_t end = at_ + 1;
      while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
      return token(TokenKind::word, end);
    }
    const bool sign = c == '-' || c == '+';
    const std::size_t first = at_ + (sign ? 1 : 0);
    if (first < text_.size() && (is_digit(text_[first]) || (text_[first] == '.' && first + 1 < text_.size() &&
                                                            is_digit(text_[first + 1])))) {
      return number(first, c == '-');
    }
    if (c == '"' || c == '\'') return quoted_text(c);
    for (const Symbol& s : kSymbols) {
      if (text_.substr(at_, s.text.size()) == s.text) return token(s.kind, at_ + s.text.size());
    }
    return unexpected();
  }

  Token token(TokenKind kind, std::size_t end) {
    Token t{.kind = kind, .at = {at_, end}};
    at_ = end;
    return t;
  }

  // The length of what looks like an address here: hexadecimal digits, dots and colons, of which a colon or
  // two dots are in no number and no word. 0: it does not.
  std::size_t address_size() const {
    std::size_t end = at_;
    std::size_t dots = 0;
    std::size_t colons = 0;
    for (; end < text_.size() && (is_hex(text_[end]) || text_[end] == '.' || text_[end] == ':'); ++end) {
      dots += text_[end] == '.';
      colons += text_[end] == ':';
    }
    if (colons == 0 && dots < 2) return 0;
    if (end < text_.size() && text_[end] == '/') {
      ++end;
      while (end < text_.size() && is_digit(text_[end])) ++end;
    }
    return end - at_;
  }

  Result<Token> address(std::size_t size) {
    const std::string_view written = text_.substr(at_, size);
    auto prefix = IpPrefix::parse(written);
    if (!prefix) {
      return error_at(text_, {at_, at_ + size}, "not an address or prefix: " + quoted(written),
                      prefix.error().why);
    }
    Token t = token(TokenKind::address, at_ + size);
    t.prefix = *prefix;
    t.slash = written.find('/') != std::string_view::npos;
    return t;
  }

  Result<Token> number(std::size_t first, bool negative) {
    const char* const begin = text_.data() + first;
    const char* const limit = text_.data() + text_.size();
    Number n{.negative = negative};
    const auto [end, status] = std::from_chars(begin, limit, n.value);
    auto stop = static_cast<std::size_t>(end - text_.data());
    const auto exact = std::from_chars(begin, limit, n.magnitude);
    n.whole = exact.ec == std::errc{} && exact.ptr == end;
    const std::size_t unit_at = stop;
    while (stop < text_.size() && (is_letter(text_[stop]) || is_digit(text_[stop]) || text_[stop] == '%'))
      ++stop;
    if (status == std::errc::result_out_of_range) {
      return error_at(text_, {at_, stop}, "number out of range: " + quoted(text_.substr(at_, stop - at_)));
    }
    if (const std::string_view name = text_.substr(unit_at, stop - unit_at); !name.empty()) {
      const auto* unit =
          std::find_if(kUnits.begin(), kUnits.end(), [&](const UnitName& u) { return u.name == name; });
      if (unit == kUnits.end()) return unknown_unit({unit_at, stop});
      n.value *= unit->scale;
      if (unit->unit == Unit::percent) n.value /= 100;  // as 7 of 100 divides; 7 * 0.01 is a little more
      n.unit = unit->unit;
      n.whole = false;
    }
    if (negative) n.value = -n.value;
    Token t = token(TokenKind::number, stop);
    t.number = n;
    return t;
  }

  Error unknown_unit(Span at) const {
    const std::string_view name = text_.substr(at.begin, at.end - at.begin);
    std::vector<std::string_view> names;
    names.reserve(kUnits.size());
    for (const UnitName& u : kUnits) names.push_back(u.name);
    return error_at(text_, at, "unknown unit " + quoted(name),
                    "units are " + enumerate(names, kUnits.size()));
  }

  Result<Token> quoted_text(char quote) {
    std::string out;
    std::size_t i = at_ + 1;
    while (i < text_.size() && text_[i] != quote) {
      if (text_[i] == '\\' && i + 1 < text_.size()) {
        const std::size_t size = escape(i, out);
        if (size == 0)
          return error_at(text_, {i, std::min(i + 4, text_.size())}, "\\x takes two hexadecimal digits");
        i += size;
      } else {
        out += text_[i++];
      }
    }
    if (i >= text_.size()) {
      return error_at(text_, {at_, at_ + 1}, "this quote is not closed",
                      std::string("the text ends without ") + quote);
    }
    Token t = token(TokenKind::text, i + 1);
    t.text = std::move(out);
    return t;
  }

  // Resolves the escape at `i` and returns its length, 0 when it is malformed. A backslash before any other
  // character stays, so that a regular expression needs no doubled ones: "\." and "\d" are what they are in a
  // pattern.
  std::size_t escape(std::size_t i, std::string& out) const {
    const char c = text_[i + 1];
    switch (c) {
      case 'n':
        out += '\n';
        return 2;
      case 't':
        out += '\t';
        return 2;
      case 'r':
        out += '\r';
        return 2;
      case '"':
      case '\'':
        out += c;
        return 2;
      case '\\':
        out += "\\";
        return 2;
      case 'x':
        if (i + 3 >= text_.size() || !is_hex(text_[i + 2]) || !is_hex(text_[i + 3])) return 0;
        out += static_cast<char>(hex_value(text_[i + 2]) << 4 | hex_value(text_[i + 3]));
        return 4;
      default:
        out += '\\';
        out += c;
        return 2;
    }
  }

  Error unexpected() const {
    const std::size_t end = at_ + decode_utf8(text_.substr(at_)).size;
    const char c = text_[at_];
    std::string why;
    if (c == '=') why = "a comparison is written ==";
    if (c == '&') why = "and is written &&";
    if (c == '|') why = "or is written ||";
    return error_at(text_, {at_, end}, "unexpected " + quoted(text_.substr(at_, end - at_)), why);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view text) {
  if (text.size() > kLongest) {
    return Error{"the expression is too long",
                 std::to_string(text.size()) + " bytes; at most " + std::to_string(kLongest) + " are read"};
  }
  return Lexer(text).run();
}

}  // namespace plumb::query
