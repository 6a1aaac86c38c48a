#include "query/scalar.h"

#include <cmath>
#include <string>

#include "query/fields.h"

namespace plumb::query {
namespace {

// Rounded to whole nanoseconds or bytes, so that 12.3 ms written is 12.3 ms measured.
Result<Scalar> rounded(double value) {
  const double whole = std::round(value);
  if (!(std::abs(whole) < 9.2e18)) return Error{"number out of range"};
  return Scalar::of(static_cast<std::int64_t>(whole));
}

}  // namespace

Result<Scalar> scalar_for(const Number& n, FieldType type) {
  const Class c = class_of(type);
  if (n.unit == Unit::percent) {
    return Error{"a percentage compares with share(...) only"};
  }
  if (n.unit == Unit::duration && c != Class::duration) {
    return Error{"this is " + std::string(describe(type)) + ", not a duration"};
  }
  if (n.unit == Unit::size && c != Class::bytes) {
    return Error{"this is " + std::string(describe(type)) + ", not a size"};
  }
  if (c == Class::duration) return rounded(n.unit == Unit::none ? n.value * 1e6 : n.value);
  if (n.unit == Unit::size) return rounded(n.value);
  if (!n.whole) return Scalar::of(n.value);
  if (!n.negative) return Scalar::of(n.magnitude);
  if (n.magnitude > std::uint64_t{1} << 63) return Scalar::of(n.value);
  return Scalar::of(static_cast<std::int64_t>(~n.magnitude + 1));
}

}  // namespace plumb::query
