// The words of an expression.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "query/diagnostic.h"

namespace plumb::query {

enum class Unit : std::uint8_t { none, duration, size, percent };

// A number as written. With a unit, `value` is in nanoseconds, in bytes, or a fraction of one.
struct Number {
  double value = 0;
  Unit unit = Unit::none;
  bool whole = false;  // no unit, no point, no exponent: then it is exactly (-)magnitude
  bool negative = false;
  std::uint64_t magnitude = 0;
};

enum class TokenKind : std::uint8_t {
  end,
  word,  // [A-Za-z_][A-Za-z0-9_]*
  number,
  text,     // in quotes
  address,  // address or prefix
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  matches,
  not_matches,
  both,    // &&
  either,  // ||
  negate,  // !
  open,
  close,
  comma,
  plus,
  minus,
  times,
  over,
};

struct Token {
  TokenKind kind = TokenKind::end;
  Span at;
  Number number;
  std::string text;    // of `text`, escapes resolved
  IpPrefix prefix;     // of `address`
  bool slash = false;  // of `address`: written with a length
};

// An expression longer than this is refused.
inline constexpr std::size_t kLongest = 64 * 1024;

// The tokens of `text`; the last is always `end`.
Result<std::vector<Token>> tokenize(std::string_view text);

}  // namespace plumb::query
