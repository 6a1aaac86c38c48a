// What fmt's headers only declare, compiled once. Debian has fmt as headers and as a shared library, and the executable is
// static; FMT_HEADER_ONLY, the other way, compiles all of this again in each file that formats a number.
#include <fmt/format-inl.h>

namespace fmt::detail {
// Declared `extern template` in format.h, or defined in format-inl.h alone; fmt's documentation has no list.
template auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;
template auto dragonbox::to_decimal(float) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double) noexcept -> dragonbox::decimal_fp<double>;
}  // namespace fmt::detail
