// Numbers that compare exactly, whatever their C++ types: 2^53 + 1 is not 2^53, and -1 is less than 1U.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <variant>

#include "event/field.h"
#include "query/lexer.h"

namespace plumb::query {

class Scalar {
 public:
  constexpr Scalar() = default;
  static constexpr Scalar of(std::int64_t v) {
    return Scalar(Kind::integer, static_cast<std::uint64_t>(v), 0);
  }
  static constexpr Scalar of(std::uint64_t v) {
    return v <= static_cast<std::uint64_t>(INT64_MAX) ? of(static_cast<std::int64_t>(v))
                                                      : Scalar(Kind::large, v, 0);
  }
  static constexpr Scalar of(double v) { return Scalar(Kind::real, 0, v); }

  // The number in a Value: a boolean, a time or a text is none. Durations count in nanoseconds.
  static std::optional<Scalar> of(const Value& value) {
    if (const auto* u = std::get_if<std::uint64_t>(&value)) return of(*u);
    if (const auto* d = std::get_if<Duration>(&value)) return of(d->ns);
    if (const auto* i = std::get_if<std::int64_t>(&value)) return of(*i);
    if (const auto* r = std::get_if<double>(&value)) return of(*r);
    return std::nullopt;
  }

  constexpr double value() const {
    switch (kind_) {
      case Kind::real:
        return real_;
      case Kind::large:
        return static_cast<double>(bits_);
      default:
        return static_cast<double>(static_cast<std::int64_t>(bits_));
    }
  }

  // In its own type.
  std::variant<std::int64_t, std::uint64_t, double> number() const {
    if (kind_ == Kind::real) return real_;
    if (kind_ == Kind::large) return bits_;
    return static_cast<std::int64_t>(bits_);
  }

  // Unordered when either is NaN.
  friend constexpr std::partial_ordering operator<=>(const Scalar& a, const Scalar& b) {
    if (a.kind_ == Kind::real || b.kind_ == Kind::real) return a.value() <=> b.value();
    if (a.kind_ != b.kind_) {
      return a.kind_ == Kind::large ? std::partial_ordering::greater : std::partial_ordering::less;
    }
    if (a.kind_ == Kind::large) return a.bits_ <=> b.bits_;
    return static_cast<std::int64_t>(a.bits_) <=> static_cast<std::int64_t>(b.bits_);
  }
  friend constexpr bool operator==(const Scalar& a, const Scalar& b) { return std::is_eq(a <=> b); }

 private:
  enum class Kind : std::uint8_t { integer, large, real };  // up to INT64_MAX; above it; a double
  constexpr Scalar(Kind kind, std::uint64_t bits, double real) : kind_(kind), bits_(bits), real_(real) {}

  Kind kind_ = Kind::integer;
  std::uint64_t bits_ = 0;
  double real_ = 0;
};

// A literal as it compares with a field of type `type`: nanoseconds with durations (a number without a unit
// counts milliseconds: whether it may lack one is fields.h's to say), bytes with sizes. An Error's why says what the unit should have been; the place is
// the caller's.
Result<Scalar> scalar_for(const Number& number, FieldType type);

}  // namespace plumb::query
