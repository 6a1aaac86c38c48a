// Types: turns one test of an expression into an instruction, or says what does not fit.
#pragma once

#include <string_view>

#include "event/field.h"
#include "query/predicate.h"
#include "query/program.h"
#include "query/syntax.h"

namespace plumb::query {

class Checker {
 public:
  Checker(std::string_view text, const Schema& schema, Program& program)
      : text_(text), schema_(schema), program_(program) {}

  // `node` is a truth or a test. Constants go to the program; `condition` becomes the test in a form that
  // others can read, with no values when it has none (a comparison of two fields).
  Result<Instruction> check(const Node& node, Condition& condition);

 private:
  Result<Instruction> check_truth(const Node& node);
  Result<Instruction> check_test(const Node& node);
  Result<Instruction> check_mirrored(const Node& node);
  Result<Instruction> check_null(const Node& node, std::size_t field);
  Result<Instruction> check_order(const Node& node, std::size_t field);
  Result<Instruction> check_boolean(const Node& node, std::size_t field);
  Result<Instruction> check_text(const Node& node, std::size_t field);
  Result<Instruction> check_match(const Node& node, std::size_t field);
  Result<Instruction> check_address(const Node& node, std::size_t field);
  Result<Instruction> check_item(const Node& node);
  Result<Instruction> check_fields(const Node& node, std::size_t field, std::size_t other);

  Result<std::size_t> field_of(const Operand& operand) const;
  Result<Scalar> number_of(const Operand& operand, std::size_t field) const;
  Result<std::string> word_of(const Operand& operand, std::size_t field) const;
  bool is_word_of(const Operand& word, const Operand& other) const;
  Error mismatch(const Operand& operand, std::size_t field, std::string_view expected) const;
  Error no_such_operator(const Node& node, std::size_t field) const;
  Instruction start(Test test, std::size_t field) const;
  void add_sorted(Instruction& i, std::vector<std::string> texts);

  std::string_view text_;
  const Schema& schema_;
  Program& program_;
  Condition* condition_ = nullptr;
  std::string written_;  // the name of the test's field
};

}  // namespace plumb::query
