// An expression as written, before any name means anything. --where and --fail-if share this grammar:
//
//   any     := all { "||" all }
//   all     := unary { "&&" unary }
//   unary   := "!" ( unary | operand ) | "(" any ")" | test
//   test    := operand [ compare operand | [ "not" ] "in" set ]
//   compare := "==" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~"
//   set     := operand | "(" operand { "," operand } ")"
//   operand := number [ unit ] | text | address | prefix | "true" | "false" | "null" | name [ "(" [ any ] ")"
//   ]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "query/lexer.h"

namespace plumb::query {

enum class Compare : std::uint8_t {
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  matches,
  not_matches,
  in,
  not_in,
};

// "==" and so on.
std::string_view spelling(Compare c);
// a OP b is b flipped(OP) a. Only for the six orders.
Compare flipped(Compare c);

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = ~NodeId{0};

struct Operand {
  enum class Kind : std::uint8_t { null, boolean, number, text, address, name, call, arithmetic };
  Kind kind = Kind::null;
  Span at;
  bool boolean = false;
  Number number;
  std::string text;  // of text; of a name or call, the name
  IpPrefix prefix;
  bool slash = false;
  Span name_at;                // of a call
  NodeId argument = kNoNode;   // of a call, when it has one
  char sign = 0;               // of arithmetic: + - * /
  std::vector<Operand> sides;  // of arithmetic: two
  bool is_literal() const { return kind < Kind::name; }
};

struct Node {
  enum class Kind : std::uint8_t { any, all, negation, truth, test };
  Kind kind = Kind::truth;
  Span at;
  std::vector<NodeId> children;  // of any, all, negation
  Operand left;                  // of truth and test
  Compare compare = Compare::equal;
  Span compare_at;
  std::vector<Operand> right;  // of test: one, or the set of in
};

struct Syntax {
  std::vector<Node> nodes;
  NodeId root = kNoNode;
};

// Parentheses, calls and ! nest this deep at most.
inline constexpr unsigned kDeepest = 64;

// With arithmetic, as --fail-if has it, a test's sides are sums, outside of what a call takes (but for base):
//
//   sum     := product { ( "+" | "-" ) product }
//   product := factor { ( "*" | "/" ) factor }
//   factor  := operand | "(" sum ")"
enum class Arithmetic : bool { no, yes };

Result<Syntax> parse(std::string_view text, Arithmetic arithmetic = Arithmetic::no);

}  // namespace plumb::query
