// Predicate: the expression of --where, compiled against a tool's field table.
//
//   status >= 500 && latency > 20ms
//   remote_addr in 10.0.0.0/8 && !(comm =~ "^(curl|wget)$")
//   outcome in (refused, timeout)
//
// - Names are the keys of the fields; `_ms` and `_bytes` may be left out where that leaves no doubt.
// - Units: ns us ms s m h, B KB MB GB (powers of 1000), KiB MiB GiB (powers of 1024). A number without one counts what the
//   name says: latency_ms > 5, size_bytes > 5; latency > 5 is an error.
// - Text stands in "..." or '...'. The words of an enumeration may stand bare. Escapes: \" \' \\ \n \r \t
// \xNN; before
//   any other character a backslash stays, as regular expressions want it.
// - =~ and !~ look for a regular expression of RE2 anywhere in a text (in a list: in any of its items).
// - "word" in FIELD asks whether a list has an item.
// - An IPv4-mapped IPv6 address is the IPv4 address. 0.0.0.0/0 is all of IPv4, ::/0 all other IPv6.
// - ! binds tighter than &&, && tighter than ||. Comparisons do not chain.
//
// Unknown values: there are two truth values only. A test of a value that is unknown (null), or that this
// type of line does not carry, is false; so `status == 200` and `status != 200` are both false where status
// is null, as are `in`, `not in`, `=~`, `!~` and a bare boolean field. ! turns false into true, so `!(status
// == 200)` holds there. `== null` and `!= null` ask for exactly this and are the only tests that are true of
// an unknown value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "event/field.h"
#include "query/syntax.h"

namespace plumb {

namespace query {
struct Program;
}

// `field COMPARE value`, one of the conditions that all have to hold: what a kernel filter may decide
// earlier. The predicate still decides in the end, so a caller may take any of them, or none.
struct Condition {
  std::size_t field = 0;
  query::Compare compare = query::Compare::equal;
  // One for comparisons, any number for in and not_in. Durations are in nanoseconds, addresses are prefixes
  // of full length, None stands for null, a bare boolean field is `== true`.
  using Literal = std::variant<None, bool, std::int64_t, std::uint64_t, double, std::string, IpPrefix>;
  std::vector<Literal> values;
};

class Predicate {
 public:
  // An Error points at the place (Error::excerpt) and names what may have been meant.
  static Result<Predicate> compile(std::string_view text, const Schema& schema);
  // A part of an expression that is parsed already.
  static Result<Predicate> compile(std::string_view text, const query::Syntax& syntax, query::NodeId node,
                                   const Schema& schema);

  Predicate(Predicate&&) noexcept;
  Predicate& operator=(Predicate&&) noexcept;
  ~Predicate();

  // `row` is of the schema that this was compiled for. Allocates nothing.
  bool operator()(const Row& row) const;

  const std::vector<Condition>& pushdown() const { return conditions_; }
  // The first field that the expression names.
  std::size_t first_field() const { return fields_.front(); }
  // The types of rows that it is about: `usual`, or all where it names the type or a field that none of the usual carries.
  TypeMask types(const Schema& schema, TypeMask usual) const;

 private:
  Predicate();

  std::unique_ptr<const query::Program> program_;
  std::vector<Condition> conditions_;
  std::vector<std::size_t> fields_;  // that it names, as they come; at least one
};

}  // namespace plumb
