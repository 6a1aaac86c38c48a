// A compiled expression: tests in a row, each with the place to go on when it holds and when it does not. &&
// || and ! have become jumps, so that running it needs no stack, allocates nothing and looks at nothing that
// cannot matter.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "event/field.h"
#include "query/scalar.h"

namespace re2 {
class RE2;
}

namespace plumb::query {

enum class Test : std::uint8_t {
  truth,          // a boolean field is `expected`
  is_null,        // the field is unknown or not carried
  order,          // a number against `scalar`
  number_in,      // a number among numbers[first, last), sorted
  text_in,        // a text among texts[first, last), sorted
  text_matches,   // a text against patterns[first]
  address_in,     // an address in one of prefixes[first, last)
  list_contains,  // a list has one of texts[first, last), sorted
  list_matches,   // some item of a list matches patterns[first]
  fields_order,   // two numbers, of `field` and `other`
  fields_equal,   // two texts, addresses or booleans
};

// Sets of orderings that satisfy a comparison.
inline constexpr std::uint8_t kLess = 1;
inline constexpr std::uint8_t kEqual = 2;
inline constexpr std::uint8_t kGreater = 4;

inline constexpr std::uint32_t kAccept = ~std::uint32_t{0};
inline constexpr std::uint32_t kReject = kAccept - 1;

struct Instruction {
  Test test = Test::truth;
  std::uint8_t orders = 0;  // of order and fields_order
  bool expected = true;     // the outcome of the test that counts as holding; an unknown value never holds
  bool always = false;      // every type of line carries the fields: no need to look
  std::uint16_t field = 0;
  std::uint16_t other = 0;
  std::uint32_t if_true = kAccept;
  std::uint32_t if_false = kReject;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  Scalar scalar;
};

struct Program {
  std::vector<Instruction> code;
  std::uint32_t entry = kAccept;
  std::vector<Scalar> numbers;
  std::vector<std::string> texts;
  std::vector<IpPrefix> prefixes;
  std::vector<std::unique_ptr<const re2::RE2>> patterns;

  Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  bool run(const Row& row) const;
};

}  // namespace plumb::query
