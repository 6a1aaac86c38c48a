#include <optional>
#include <utility>

#include "query/syntax.h"

namespace plumb::query {
namespace {

std::optional<Compare> comparison(TokenKind kind) {
  switch (kind) {
    case TokenKind::equal:
      return Compare::equal;
    case TokenKind::not_equal:
      return Compare::not_equal;
    case TokenKind::less:
      return Compare::less;
    case TokenKind::less_equal:
      return Compare::less_equal;
    case TokenKind::greater:
      return Compare::greater;
    case TokenKind::greater_equal:
      return Compare::greater_equal;
    case TokenKind::matches:
      return Compare::matches;
    case TokenKind::not_matches:
      return Compare::not_matches;
    default:
      return std::nullopt;
  }
}

class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens, bool arithmetic)
      : text_(text), tokens_(std::move(tokens)), arithmetic_(arithmetic) {}

  Result<Syntax> run() {
    if (peek().kind == TokenKind::end) return error_at(text_, peek().at, "the expression is empty");
    auto root = any();
    if (!root) return std::move(root).error();
    if (peek().kind != TokenKind::end) return unexpected_after();
    syntax_.root = *root;
    return std::move(syntax_);
  }

 private:
  const Token& peek() const { return tokens_[next_]; }
  const Token& take() { return tokens_[next_ + 1 < tokens_.size() ? next_++ : next_]; }
  bool accept(TokenKind kind) {
    if (peek().kind != kind) return false;
    take();
    return true;
  }
  std::string_view source(Span s) const { return text_.substr(s.begin, s.end - s.begin); }
  bool is_word(const Token& t, std::string_view word) const {
    return t.kind == TokenKind::word && source(t.at) == word;
  }
  bool at_in() const {
    if (is_word(peek(), "in")) return true;
    return is_word(peek(), "not") && is_word(tokens_[next_ + 1], "in");  // `end` follows every word
  }

  NodeId add(Node node) {
    syntax_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(syntax_.nodes.size() - 1);
  }
  Span span_of(NodeId id) const { return syntax_.nodes[id].at; }

  // Two or more of `inner` with `separator` between become one node, so that long chains do not nest.
  Result<NodeId> chain(Result<NodeId> (Parser::*inner)(), TokenKind separator, Node::Kind kind) {
    auto first = (this->*inner)();
    if (!first || peek().kind != separator) return first;
    Node node{.kind = kind, .children = {*first}};
    while (accept(separator)) {
      auto more = (this->*inner)();
      if (!more) return more;
      node.children.push_back(*more);
    }
    node.at = join(span_of(node.children.front()), span_of(node.children.back()));
    return add(std::move(node));
  }

  Result<NodeId> any() { return chain(&Parser::all, TokenKind::either, Node::Kind::any); }
  Result<NodeId> all() { return chain(&Parser::unary, TokenKind::both, Node::Kind::all); }

  Result<NodeId> unary() {
    const Token& t = peek();
    if (t.kind != TokenKind::negate && t.kind != TokenKind::open) return test(false);
    if (depth_ == kDeepest) {
      return error_at(text_, t.at, "the expression nests too deep", "at most 64 levels are read");
    }
    ++depth_;
    auto result = t.kind == TokenKind::negate ? negation() : group();
    --depth_;
    if (result && (comparison(peek().kind) || at_in())) {
      return error_at(text_, peek().at, "a condition cannot be compared",
                      t.kind == TokenKind::negate ? "write !(a == b) to negate a comparison" : "");
    }
    return result;
  }

  Result<NodeId> negation() {
    const Span at = take().at;
    const TokenKind kind = peek().kind;
    auto inner = kind == TokenKind::negate || kind == TokenKind::open ? unary() : test(true);
    if (!inner) return inner;
    return add(Node{.kind = Node::Kind::negation, .at = join(at, span_of(*inner)), .children = {*inner}});
  }

  Result<NodeId> group() {
    const Span open = take().at;
    auto inner = any();
    if (!inner) return inner;
    if (peek().kind != TokenKind::close) return not_closed(open);
    syntax_.nodes[*inner].at = join(open, take().at);
    return inner;
  }

  Error not_closed(Span open) {
    if (peek().kind == TokenKind::end) return error_at(text_, open, "this parenthesis is not closed");
    return unexpected_after();
  }

  // A comparison, or with `bare` only its left side.
  Result<NodeId> test(bool bare) {
    auto left = sum();
    if (!left) return std::move(left).error();
    Node node{.kind = Node::Kind::truth, .at = left->at, .left = *std::move(left)};
    const auto compare = comparison(peek().kind);
    if (bare || (!compare && !at_in())) return add(std::move(node));
    node.kind = Node::Kind::test;
    node.compare_at = peek().at;
    if (compare) {
      node.compare = *compare;
      take();
      auto right = sum();
      if (!right) return std::move(right).error();
      node.at = join(node.at, right->at);
      node.right.push_back(*std::move(right));
    } else if (auto result = set(node); !result) {
      return std::move(result).error();
    }
    if (comparison(peek().kind) || at_in()) {
      return error_at(text_, peek().at, "comparisons do not chain", "join two of them with &&");
    }
    return add(std::move(node));
  }

  Result<void> set(Node& node) {
    node.compare = is_word(peek(), "not") ? Compare::not_in : Compare::in;
    if (node.compare == Compare::not_in) take();
    node.compare_at = join(node.compare_at, take().at);
    const Span open = peek().at;
    const bool list = accept(TokenKind::open);
    do {
      auto item = operand();
      if (!item) return std::move(item).error();
      node.right.push_back(*std::move(item));
    } while (list && accept(TokenKind::comma));
    node.at = join(node.at, node.right.back().at);
    if (!list) return {};
    if (peek().kind != TokenKind::close) return not_closed(open);
    node.at = join(node.at, take().at);
    return {};
  }

  static Operand arithmetic(char sign, Operand left, Operand right) {
    Operand o{.kind = Operand::Kind::arithmetic, .at = join(left.at, right.at), .sign = sign};
    o.sides.push_back(std::move(left));
    o.sides.push_back(std::move(right));
    return o;
  }

  // A number with a sign right behind an operand: `count -5` is `count + -5`.
  bool at_signed_number() const {
    if (peek().kind != TokenKind::number) return false;  // the end lies behind the text
    const char first = text_[peek().at.begin];
    return first == '-' || first == '+';
  }

  Result<Operand> sum() {
    auto left = product();
    while (left && arithmetic_) {
      char sign = '+';
      if (accept(TokenKind::minus)) {
        sign = '-';
      } else if (!at_signed_number() && !accept(TokenKind::plus)) {
        break;
      }
      auto right = product();
      if (!right) return right;
      if (++terms_ > kDeepest) return too_deep(right->at);
      left = arithmetic(sign, *std::move(left), *std::move(right));
    }
    return left;
  }

  Result<Operand> product() {
    auto left = factor();
    while (left && arithmetic_ && (peek().kind == TokenKind::times || peek().kind == TokenKind::over)) {
      const char sign = take().kind == TokenKind::times ? '*' : '/';
      auto right = factor();
      if (!right) return right;
      if (++terms_ > kDeepest) return too_deep(right->at);
      left = arithmetic(sign, *std::move(left), *std::move(right));
    }
    return left;
  }

  Error too_deep(Span at) const {
    return error_at(text_, at, "the expression nests too deep", "at most 64 levels are read");
  }

  Result<Operand> factor() {
    if (!arithmetic_ || peek().kind != TokenKind::open) return operand();
    const Span open = take().at;
    if (depth_ == kDeepest) return too_deep(open);
    ++depth_;
    auto inner = sum();
    --depth_;
    if (!inner) return inner;
    if (peek().kind != TokenKind::close) return not_closed(open);
    inner->at = join(open, take().at);
    return inner;
  }

  Result<Operand> operand() {
    const Token& t = peek();
    switch (t.kind) {
      case TokenKind::word:
        return word();
      case TokenKind::number:
        take();
        return Operand{.kind = Operand::Kind::number, .at = t.at, .number = t.number};
      case TokenKind::text:
        take();
        return Operand{.kind = Operand::Kind::text, .at = t.at, .text = t.text};
      case TokenKind::address:
        take();
        return Operand{.kind = Operand::Kind::address, .at = t.at, .prefix = t.prefix, .slash = t.slash};
      case TokenKind::end:
        return error_at(text_, t.at, "the expression ends too early", "a field or a value is missing here");
      default:
        return error_at(text_, t.at, "unexpected " + quoted(source(t.at)), "a field or a value belongs here");
    }
  }

  Result<Operand> word() {
    const Token& t = take();
    const std::string_view name = source(t.at);
    if (name == "null") return Operand{.kind = Operand::Kind::null, .at = t.at};
    if (name == "true" || name == "false") {
      return Operand{.kind = Operand::Kind::boolean, .at = t.at, .boolean = name == "true"};
    }
    if (name == "in" || name == "not") {
      return error_at(text_, t.at, "unexpected " + quoted(name),
                      name == "not" ? "negation is written !" : "a field belongs in front of it");
    }
    Operand o{.kind = Operand::Kind::name, .at = t.at, .text = std::string(name), .name_at = t.at};
    if (peek().kind != TokenKind::open) return o;
    o.kind = Operand::Kind::call;
    const Span open = take().at;
    if (depth_ == kDeepest) {
      return error_at(text_, open, "the expression nests too deep", "at most 64 levels are read");
    }
    if (peek().kind != TokenKind::close) {
      ++depth_;
      const bool outside = std::exchange(arithmetic_, false);
      auto argument = any();
      arithmetic_ = outside;
      --depth_;
      if (!argument) return std::move(argument).error();
      o.argument = *argument;
    }
    if (peek().kind != TokenKind::close) return not_closed(open);
    o.at = join(o.at, take().at);
    return o;
  }

  // Something stands where && or || or the end belongs.
  Error unexpected_after() const {
    const Token& t = peek();
    std::string why = "&& or || or the end belongs here";
    if (is_word(t, "and")) why = "and is written &&";
    if (is_word(t, "or")) why = "or is written ||";
    if (t.kind == TokenKind::close) why = "no parenthesis is open";
    const bool joins = is_word(t, "and") || is_word(t, "or");
    if (!joins && t.kind == TokenKind::word && next_ > 0 && tokens_[next_ - 1].kind == TokenKind::number) {
      why = "a unit follows its number without a space";
    }
    return error_at(text_, t.at, "unexpected " + quoted(source(t.at)), why);
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  unsigned depth_ = 0;
  unsigned terms_ = 0;  // of sums and products, whose trees lean to the left
  bool arithmetic_;
  Syntax syntax_;
};

}  // namespace

std::string_view spelling(Compare c) {
  constexpr std::string_view kSpellings[] = {"==", "!=", "<", "<=", ">", ">=", "=~", "!~", "in", "not in"};
  return kSpellings[static_cast<std::size_t>(c)];
}

Compare flipped(Compare c) {
  switch (c) {
    case Compare::less:
      return Compare::greater;
    case Compare::less_equal:
      return Compare::greater_equal;
    case Compare::greater:
      return Compare::less;
    case Compare::greater_equal:
      return Compare::less_equal;
    default:
      return c;
  }
}

Result<Syntax> parse(std::string_view text, Arithmetic arithmetic) {
  auto tokens = tokenize(text);
  if (!tokens) return std::move(tokens).error();
  return Parser(text, *std::move(tokens), arithmetic == Arithmetic::yes).run();
}

}  // namespace plumb::query
