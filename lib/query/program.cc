#include "query/program.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <span>

namespace plumb::query {
namespace {

std::uint8_t order_bit(std::partial_ordering o) {
  if (std::is_lt(o)) return kLess;
  if (std::is_gt(o)) return kGreater;
  return std::is_eq(o) ? kEqual : 0;  // NaN satisfies nothing
}

const std::string_view* text_of(const Value& v) {
  if (const auto* name = std::get_if<Name>(&v)) return &name->text;
  return std::get_if<std::string_view>(&v);
}

bool matches(const re2::RE2& pattern, std::string_view text) {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

bool among(std::span<const std::string> sorted, std::string_view text) {
  if (sorted.size() == 1) return sorted.front() == text;
  return std::binary_search(sorted.begin(), sorted.end(), text);
}

// What a test says of a row; nothing when a value in it is unknown.
using Outcome = std::optional<bool>;

Outcome ordered(const Value& a, const Scalar& b, std::uint8_t orders) {
  const auto scalar = Scalar::of(a);
  if (!scalar) return std::nullopt;
  const std::uint8_t bit = order_bit(*scalar <=> b);
  if (bit == 0) return std::nullopt;
  return (bit & orders) != 0;
}

Outcome equal(const Value& a, const Value& b) {
  if (const auto* x = text_of(a)) {
    const auto* y = text_of(b);
    return y == nullptr ? Outcome{} : Outcome{*x == *y};
  }
  if (std::holds_alternative<None>(a) || a.index() != b.index()) return std::nullopt;
  if (const auto* x = std::get_if<IpAddress>(&a)) return *x == std::get<IpAddress>(b);
  if (const auto* x = std::get_if<bool>(&a)) return *x == std::get<bool>(b);
  return std::nullopt;
}

Outcome list_holds(const Program& p, const Instruction& i, const Value& v,
                   std::span<const std::string> texts) {
  const auto* list = std::get_if<TextList>(&v);
  if (list == nullptr) return std::nullopt;
  return std::any_of(list->begin(), list->end(), [&](std::string_view item) {
    return i.test == Test::list_contains ? among(texts, item) : matches(*p.patterns[i.first], item);
  });
}

Outcome text_holds(const Program& p, const Instruction& i, const Value& v,
                   std::span<const std::string> texts) {
  const std::string_view* text = text_of(v);
  if (text == nullptr) return std::nullopt;
  return i.test == Test::text_in ? among(texts, *text) : matches(*p.patterns[i.first], *text);
}

Outcome number_in(std::span<const Scalar> sorted, const Value& v) {
  const auto scalar = Scalar::of(v);
  if (!scalar || order_bit(*scalar <=> *scalar) == 0) return std::nullopt;
  return std::binary_search(sorted.begin(), sorted.end(), *scalar,
                            [](const Scalar& a, const Scalar& b) { return a < b; });
}

Outcome address_in(std::span<const IpPrefix> prefixes, const Value& v) {
  const auto* address = std::get_if<IpAddress>(&v);
  if (address == nullptr || address->family() == IpAddress::Family::none) return std::nullopt;
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& p) { return p.contains(*address); });
}

template <class T>
std::span<const T> slice(const std::vector<T>& all, const Instruction& i) {
  if (i.last > all.size()) return {};  // what it refers to is of another kind
  return {all.data() + i.first, i.last - i.first};
}

Outcome two_fields(const Instruction& i, const Value& value, const Row& row) {
  if (!i.always && !row.carries(i.other)) return std::nullopt;
  const Value other = row.get(i.other);
  if (i.test == Test::fields_equal) return equal(value, other);
  const auto scalar = Scalar::of(other);
  return scalar ? ordered(value, *scalar, i.orders) : std::nullopt;
}

Outcome outcome(const Program& p, const Instruction& i, const Value& v, const Row& row) {
  switch (i.test) {
    case Test::truth: {
      const bool* b = std::get_if<bool>(&v);
      return b == nullptr ? Outcome{} : Outcome{*b};
    }
    case Test::is_null:
      return std::holds_alternative<None>(v);
    case Test::order:
      return ordered(v, i.scalar, i.orders);
    case Test::number_in:
      return number_in(slice(p.numbers, i), v);
    case Test::text_in:
    case Test::text_matches:
      return text_holds(p, i, v, slice(p.texts, i));
    case Test::address_in:
      return address_in(slice(p.prefixes, i), v);
    case Test::list_contains:
    case Test::list_matches:
      return list_holds(p, i, v, slice(p.texts, i));
    case Test::fields_order:
    case Test::fields_equal:
      return two_fields(i, v, row);
  }
  return std::nullopt;
}

}  // namespace

Program::Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

bool Program::run(const Row& row) const {
  std::uint32_t at = entry;
  while (at < kReject) {
    const Instruction& i = code[at];
    const bool carried = i.always || row.carries(i.field);
    const Outcome o = outcome(*this, i, carried ? row.get(i.field) : Value{None{}}, row);
    at = o == i.expected ? i.if_true : i.if_false;
  }
  return at == kAccept;
}

}  // namespace plumb::query
