#include "query/checker.h"

#include <re2/re2.h>

#include <algorithm>
#include <limits>

#include "query/fields.h"

namespace plumb::query {
namespace {

// A pattern's program and its caches stay within this. Matching is linear in the text whatever the pattern.
constexpr std::int64_t kPatternMemory = 1 << 20;
constexpr std::size_t kMostPatterns = 64;

Condition::Literal literal_of(const Scalar& s) {
  return std::visit([](auto v) { return Condition::Literal{v}; }, s.number());
}

std::uint8_t orders_of(Compare c) {
  switch (c) {
    case Compare::equal:
      return kEqual;
    case Compare::not_equal:
      return kLess | kGreater;
    case Compare::less:
      return kLess;
    case Compare::less_equal:
      return kLess | kEqual;
    case Compare::greater:
      return kGreater;
    case Compare::greater_equal:
      return kGreater | kEqual;
    default:
      return 0;
  }
}

bool is_equality(Compare c) {
  return c == Compare::equal || c == Compare::not_equal;
}
bool is_set(Compare c) {
  return c == Compare::in || c == Compare::not_in;
}
bool is_match(Compare c) {
  return c == Compare::matches || c == Compare::not_matches;
}
bool is_negative(Compare c) {
  return c == Compare::not_equal || c == Compare::not_in || c == Compare::not_matches;
}

bool has_value(const FieldSpec& spec, std::string_view word) {
  return std::find(spec.values.begin(), spec.values.end(), word) != spec.values.end();
}

}  // namespace

Result<std::size_t> Checker::field_of(const Operand& o) const {
  if (o.kind == Operand::Kind::call) {
    return error_at(text_, o.name_at, "there are no functions here: " + quoted(o.text),
                    "aggregates such as p99(latency_ms) belong to --fail-if");
  }
  return resolve_field(text_, o.at, o.text, schema_);
}

Instruction Checker::start(Test test, std::size_t field) const {
  Instruction i;
  i.test = test;
  i.field = static_cast<std::uint16_t>(field);
  i.other = i.field;
  const std::size_t types = schema_.types().size();
  const TypeMask all =
      types >= std::numeric_limits<TypeMask>::digits ? kAllTypes : (TypeMask{1} << types) - 1;
  i.always = (schema_.spec(field).types & all) == all;
  return i;
}

Error Checker::mismatch(const Operand& o, std::size_t field, std::string_view expected) const {
  const FieldSpec& spec = schema_.spec(field);
  std::string what(spec.key);
  what += " is " + std::string(describe(spec.type));
  return error_at(text_, o.at, what, expected);
}

Error Checker::no_such_operator(const Node& node, std::size_t field) const {
  const FieldSpec& spec = schema_.spec(field);
  const std::string what = std::string(spelling(node.compare)) + " does not go with " +
                           std::string(spec.key) + ", which is " + std::string(describe(spec.type));
  switch (class_of(spec.type)) {
    case Class::text:
      return error_at(text_, node.compare_at, what, "== != =~ !~ and in do");
    case Class::address:
    case Class::boolean:
      return error_at(text_, node.compare_at, what,
                      spec.type == FieldType::address ? "== != and in do" : "== and != do");
    case Class::list:
      return error_at(text_, node.compare_at, what,
                      "\"word\" in " + std::string(spec.key) + " does, and =~ and !~");
    case Class::time:
      return error_at(text_, node.compare_at, what, "only null compares with a time");
    default:
      return error_at(text_, node.compare_at, what, "== != < <= > >= and in do");
  }
}

Result<Instruction> Checker::check(const Node& node, Condition& condition) {
  condition_ = &condition;
  condition.compare = node.compare;
  return node.kind == Node::Kind::truth ? check_truth(node) : check_test(node);
}

Result<Instruction> Checker::check_truth(const Node& node) {
  if (node.left.is_literal()) {
    return error_at(text_, node.at, "a value alone is no condition", "compare a field with it");
  }
  const auto field = field_of(node.left);
  if (!field) return field.error();
  const FieldSpec& spec = schema_.spec(*field);
  if (spec.type != FieldType::boolean) {
    return error_at(
        text_, node.at,
        std::string(spec.key) + " is " + std::string(describe(spec.type)) + " and no condition by itself",
        "compare it, for example with != null");
  }
  condition_->field = *field;
  condition_->compare = Compare::equal;
  condition_->values = {true};
  return start(Test::truth, *field);
}

Result<Instruction> Checker::check_test(const Node& node) {
  if (node.left.is_literal()) {
    if (is_set(node.compare)) return check_item(node);
    if (node.right.front().is_literal()) {
      return error_at(text_, node.at, "both sides are values", "one of them has to be a field");
    }
    if (is_match(node.compare)) {
      return error_at(text_, node.left.at,
                      "a field belongs on the left of " + std::string(spelling(node.compare)));
    }
    return check_mirrored(node);
  }
  if (is_equality(node.compare) && is_word_of(node.left, node.right.front())) return check_mirrored(node);
  const auto field = field_of(node.left);
  if (!field) return field.error();
  condition_->field = *field;
  written_ = node.left.text;
  const FieldSpec& spec = schema_.spec(*field);
  const Operand& right = node.right.front();
  if (right.kind == Operand::Kind::null && node.right.size() == 1 && !is_set(node.compare)) {
    return check_null(node, *field);
  }
  if (!is_set(node.compare) && !is_match(node.compare) && !right.is_literal() &&
      !has_value(spec, right.text)) {
    if (right.kind == Operand::Kind::call || find_field(right.text, schema_) != Schema::npos) {
      const auto other = field_of(right);
      if (!other) return other.error();
      return check_fields(node, *field, *other);
    }
  }
  if (is_match(node.compare)) return check_match(node, *field);
  switch (class_of(spec.type)) {
    case Class::boolean:
      return check_boolean(node, *field);
    case Class::text:
      return check_text(node, *field);
    case Class::address:
      return check_address(node, *field);
    case Class::list:
    case Class::time:
      return no_such_operator(node, *field);
    default:
      return check_order(node, *field);
  }
}

// 5 < pid is pid > 5.
Result<Instruction> Checker::check_mirrored(const Node& node) {
  Node mirrored = node;
  std::swap(mirrored.left, mirrored.right.front());
  mirrored.compare = flipped(node.compare);
  condition_->compare = mirrored.compare;
  return check_test(mirrored);
}

// Whether `word` is no field but a value of the enumeration `other`.
bool Checker::is_word_of(const Operand& word, const Operand& other) const {
  if (word.kind != Operand::Kind::name || other.kind != Operand::Kind::name) return false;
  const std::size_t field = find_field(other.text, schema_);
  return field != Schema::npos && find_field(word.text, schema_) == Schema::npos &&
         has_value(schema_.spec(field), word.text);
}

Result<Instruction> Checker::check_null(const Node& node, std::size_t field) {
  if (!is_equality(node.compare)) {
    return error_at(text_, node.compare_at, "null compares with == and != only");
  }
  Instruction i = start(Test::is_null, field);
  i.expected = node.compare == Compare::equal;
  condition_->values = {None{}};
  return i;
}

Result<Scalar> Checker::number_of(const Operand& o, std::size_t field) const {
  if (o.kind == Operand::Kind::null) return mismatch(o, field, "null compares with == and != only");
  if (o.kind == Operand::Kind::name && find_field(o.text, schema_) == Schema::npos) {
    return resolve_field(text_, o.at, o.text, schema_).error();
  }
  if (o.kind != Operand::Kind::number) return mismatch(o, field, "a number belongs here");
  const FieldSpec& spec = schema_.spec(field);
  if (needs_unit(o.number, spec.type, written_ == spec.key)) return no_unit(text_, o.at, written_, spec.type);
  auto scalar = scalar_for(o.number, spec.type);
  if (!scalar) return error_at(text_, o.at, scalar.error().what);
  return scalar;
}

Result<Instruction> Checker::check_order(const Node& node, std::size_t field) {
  Instruction i = start(is_set(node.compare) ? Test::number_in : Test::order, field);
  std::vector<Scalar> scalars;
  for (const Operand& o : node.right) {
    const auto scalar = number_of(o, field);
    if (!scalar) return scalar.error();
    scalars.push_back(*scalar);
    condition_->values.push_back(literal_of(*scalar));
  }
  if (!is_set(node.compare)) {
    i.orders = orders_of(node.compare);
    i.scalar = scalars.front();
    return i;
  }
  std::sort(scalars.begin(), scalars.end(), [](const Scalar& a, const Scalar& b) { return a < b; });
  i.expected = !is_negative(node.compare);
  i.first = static_cast<std::uint32_t>(program_.numbers.size());
  program_.numbers.insert(program_.numbers.end(), scalars.begin(), scalars.end());
  i.last = static_cast<std::uint32_t>(program_.numbers.size());
  return i;
}

Result<Instruction> Checker::check_boolean(const Node& node, std::size_t field) {
  if (!is_equality(node.compare)) return no_such_operator(node, field);
  const Operand& o = node.right.front();
  if (o.kind == Operand::Kind::name && find_field(o.text, schema_) == Schema::npos) {
    return resolve_field(text_, o.at, o.text, schema_).error();
  }
  if (o.kind != Operand::Kind::boolean) return mismatch(o, field, "true, false or null belongs here");
  Instruction i = start(Test::truth, field);
  i.expected = o.boolean == (node.compare == Compare::equal);
  condition_->values = {o.boolean};
  return i;
}

// The text that `o` means where a value of `field` belongs.
Result<std::string> Checker::word_of(const Operand& o, std::size_t field) const {
  const FieldSpec& spec = schema_.spec(field);
  const bool word = o.kind == Operand::Kind::name;
  if (o.kind == Operand::Kind::null) return mismatch(o, field, "null compares with == and != only");
  if (word && spec.type != FieldType::enumeration) {
    return mismatch(o, field, "text stands in quotes: \"" + o.text + '"');
  }
  if (!word && o.kind != Operand::Kind::text) return mismatch(o, field, "text in quotes belongs here");
  if (spec.type == FieldType::enumeration && !has_value(spec, o.text)) {
    const std::vector<std::string_view> values(spec.values.begin(), spec.values.end());
    return error_at(text_, o.at, std::string(spec.key) + " is never " + quoted(o.text),
                    did_you_mean(o.text, values, "it is one of " + enumerate(values)));
  }
  return o.text;
}

void Checker::add_sorted(Instruction& i, std::vector<std::string> texts) {
  for (const std::string& t : texts) condition_->values.emplace_back(t);
  std::sort(texts.begin(), texts.end());
  i.first = static_cast<std::uint32_t>(program_.texts.size());
  std::move(texts.begin(), texts.end(), std::back_inserter(program_.texts));
  i.last = static_cast<std::uint32_t>(program_.texts.size());
}

Result<Instruction> Checker::check_text(const Node& node, std::size_t field) {
  if (!is_equality(node.compare) && !is_set(node.compare)) return no_such_operator(node, field);
  std::vector<std::string> texts;
  for (const Operand& o : node.right) {
    auto word = word_of(o, field);
    if (!word) return std::move(word).error();
    texts.push_back(*std::move(word));
  }
  Instruction i = start(Test::text_in, field);
  i.expected = !is_negative(node.compare);
  add_sorted(i, std::move(texts));
  return i;
}

Result<Instruction> Checker::check_match(const Node& node, std::size_t field) {
  const Class c = class_of(schema_.spec(field).type);
  if (c != Class::text && c != Class::list) return no_such_operator(node, field);
  const Operand& o = node.right.front();
  if (o.kind != Operand::Kind::text) {
    return error_at(text_, o.at, "a regular expression in quotes belongs here");
  }
  if (program_.patterns.size() == kMostPatterns) {
    return error_at(text_, o.at, "too many regular expressions", "join some of them with |");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  auto pattern = std::make_unique<const re2::RE2>(re2::StringPiece(o.text.data(), o.text.size()), options);
  if (!pattern->ok()) return error_at(text_, o.at, "not a regular expression", pattern->error());
  Instruction i = start(c == Class::list ? Test::list_matches : Test::text_matches, field);
  i.expected = !is_negative(node.compare);
  i.first = static_cast<std::uint32_t>(program_.patterns.size());
  i.last = i.first;
  program_.patterns.push_back(std::move(pattern));
  condition_->values = {o.text};
  return i;
}

Result<Instruction> Checker::check_address(const Node& node, std::size_t field) {
  if (!is_equality(node.compare) && !is_set(node.compare)) return no_such_operator(node, field);
  Instruction i = start(Test::address_in, field);
  i.expected = !is_negative(node.compare);
  i.first = static_cast<std::uint32_t>(program_.prefixes.size());
  for (const Operand& o : node.right) {
    IpPrefix prefix = o.prefix;
    bool slash = o.slash;
    if (o.kind == Operand::Kind::text) {
      const auto parsed = IpPrefix::parse(o.text);
      if (!parsed) return error_at(text_, o.at, "not an address or prefix", parsed.error().why);
      prefix = *parsed;
      slash = o.text.find('/') != std::string::npos;
    } else if (o.kind != Operand::Kind::address) {
      return mismatch(o, field, "an address such as 10.0.0.1 or a prefix such as 10.0.0.0/8 belongs here");
    }
    if (slash && is_equality(node.compare)) {
      return error_at(
          text_, node.compare_at, "a prefix is no single address",
          node.compare == Compare::equal ? "write in instead of ==" : "write not in instead of !=");
    }
    program_.prefixes.push_back(prefix);
    condition_->values.emplace_back(prefix);
  }
  i.last = static_cast<std::uint32_t>(program_.prefixes.size());
  return i;
}

// "word" in FIELD
Result<Instruction> Checker::check_item(const Node& node) {
  const Operand& o = node.right.front();
  if (node.right.size() != 1 || o.kind != Operand::Kind::name) {
    return error_at(text_, node.left.at, "a field belongs on the left of in");
  }
  const auto field = field_of(o);
  if (!field) return field.error();
  const FieldSpec& spec = schema_.spec(*field);
  if (spec.type != FieldType::list) {
    return mismatch(o, *field, "a value is looked for in a list only");
  }
  if (node.left.kind != Operand::Kind::text) {
    return error_at(text_, node.left.at, "the items of " + std::string(spec.key) + " are text",
                    "write it in quotes");
  }
  Instruction i = start(Test::list_contains, *field);
  i.expected = !is_negative(node.compare);
  add_sorted(i, {node.left.text});
  condition_->values.clear();  // not of the form field, comparison, value
  return i;
}

Result<Instruction> Checker::check_fields(const Node& node, std::size_t field, std::size_t other) {
  const FieldSpec& a = schema_.spec(field);
  const FieldSpec& b = schema_.spec(other);
  const Class c = class_of(a.type);
  if (c != class_of(b.type)) {
    return error_at(text_, node.at,
                    std::string(a.key) + " is " + std::string(describe(a.type)) + ", " + std::string(b.key) +
                        " is " + std::string(describe(b.type)),
                    "they do not compare");
  }
  if (c == Class::list || c == Class::time || (!is_numeric(a.type) && !is_equality(node.compare))) {
    return no_such_operator(node, field);
  }
  Instruction i = start(is_numeric(a.type) ? Test::fields_order : Test::fields_equal, field);
  const Instruction right = start(i.test, other);
  i.other = right.field;
  i.always = i.always && right.always;
  if (i.test == Test::fields_order) {
    i.orders = orders_of(node.compare);
  } else {
    i.expected = !is_negative(node.compare);
  }
  return i;
}

}  // namespace plumb::query
