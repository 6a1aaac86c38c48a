// What the conditions of --fail-if on a profile and on a difference of two share: their text, its syntax, and a limit for
// each comparison.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "query/diagnostic.h"
#include "query/syntax.h"

namespace plumb::profile {

// `State` has check_test(source, node), which fills the limit of a comparison, and kExample, what a lone value lacks.
template <class State, class Limit>
struct ThresholdSyntax {
  std::string text;  // printable
  query::Syntax syntax;
  std::vector<Limit> limits;  // by node

  static Result<std::unique_ptr<State>> compile(std::string_view source) {
    auto syntax = query::parse(source);
    if (!syntax) return std::move(syntax).error();
    auto state = std::make_unique<State>();
    append_printable(state->text, source);
    state->syntax = *std::move(syntax);
    state->limits.resize(state->syntax.nodes.size());
    if (auto r = state->check(source, state->syntax.root); !r) return std::move(r).error();
    return Result<std::unique_ptr<State>>(std::move(state));
  }

 private:
  Result<void> check(std::string_view source, query::NodeId id) {
    const query::Node& node = syntax.nodes[id];
    if (node.kind == query::Node::Kind::test) return static_cast<State*>(this)->check_test(source, id);
    if (node.kind == query::Node::Kind::truth)
      return query::error_at(source, node.at, "this alone is no condition", std::string(State::kExample));
    for (const query::NodeId child : node.children) {
      if (auto r = check(source, child); !r) return r;
    }
    return {};
  }
};

}  // namespace plumb::profile
