#include "query/predicate.h"

#include <algorithm>
#include <utility>

#include "query/checker.h"
#include "query/program.h"

namespace plumb {
namespace query {
namespace {

// Two walks over the tree. The first, left to right, types every test, so that the first mistake is the one
// reported. The second, right to left, lays the tests down knowing where each goes on, so that no jump is
// patched later. Both recurse as deep as the parser let the expression nest.
class Compiler {
 public:
  Compiler(std::string_view text, const Syntax& syntax, const Schema& schema, Program& program)
      : syntax_(syntax), program_(program), checker_(text, schema, program), tests_(syntax.nodes.size()) {}

  Result<void> check(NodeId id, bool conjunct, std::vector<Condition>& conditions) {
    const Node& node = syntax_.nodes[id];
    if (node.kind == Node::Kind::truth || node.kind == Node::Kind::test) {
      Condition condition;
      auto instruction = checker_.check(node, condition);
      if (!instruction) return std::move(instruction).error();
      tests_[id] = *instruction;
      fields_.push_back(instruction->field);
      if (instruction->other != instruction->field) fields_.push_back(instruction->other);
      if (conjunct && !condition.values.empty()) conditions.push_back(std::move(condition));
      return {};
    }
    for (const NodeId child : node.children) {
      if (auto r = check(child, conjunct && node.kind == Node::Kind::all, conditions); !r) return r;
    }
    return {};
  }

  // Where to start when `id` decides between `if_true` and `if_false`.
  std::uint32_t link(NodeId id, std::uint32_t if_true, std::uint32_t if_false) {
    const Node& node = syntax_.nodes[id];
    switch (node.kind) {
      case Node::Kind::negation:
        return link(node.children.front(), if_false, if_true);
      case Node::Kind::all:
      case Node::Kind::any: {
        const bool all = node.kind == Node::Kind::all;
        std::uint32_t next = all ? if_true : if_false;
        for (std::size_t i = node.children.size(); i-- > 0;) {
          next = link(node.children[i], all ? next : if_true, all ? if_false : next);
        }
        return next;
      }
      default:
        break;
    }
    Instruction& i = program_.code.emplace_back(tests_[id]);
    i.if_true = if_true;
    i.if_false = if_false;
    return static_cast<std::uint32_t>(program_.code.size() - 1);
  }

  std::vector<std::size_t>& fields() { return fields_; }

 private:
  const Syntax& syntax_;
  Program& program_;
  Checker checker_;
  std::vector<Instruction> tests_;
  std::vector<std::size_t> fields_;
};

}  // namespace
}  // namespace query

Predicate::Predicate() = default;
Predicate::Predicate(Predicate&&) noexcept = default;
Predicate& Predicate::operator=(Predicate&&) noexcept = default;
Predicate::~Predicate() = default;

Result<Predicate> Predicate::compile(std::string_view text, const Schema& schema) {
  const auto syntax = query::parse(text);
  if (!syntax) return syntax.error();
  return compile(text, *syntax, syntax->root, schema);
}

Result<Predicate> Predicate::compile(std::string_view text, const query::Syntax& syntax, query::NodeId node,
                                     const Schema& schema) {
  Predicate p;
  auto program = std::make_unique<query::Program>();
  query::Compiler compiler(text, syntax, schema, *program);
  if (auto r = compiler.check(node, true, p.conditions_); !r) return std::move(r).error();
  program->entry = compiler.link(node, query::kAccept, query::kReject);
  p.fields_ = std::move(compiler.fields());
  p.program_ = std::move(program);
  return p;
}

TypeMask Predicate::types(const Schema& schema, TypeMask usual) const {
  const std::size_t type = schema.find("type");
  const bool asks = std::ranges::any_of(
      fields_, [&](std::size_t field) { return field == type || (schema.spec(field).types & usual) == 0; });
  return asks ? kAllTypes : usual;
}

bool Predicate::operator()(const Row& row) const {
  return program_->run(row);
}

}  // namespace plumb
