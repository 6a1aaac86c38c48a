// A measured value with what it leaves open: the interval in which the value of the program itself lies, of which one run
// is a sample. At least 95 % confidence on both sides together.
//
// Quantiles: order statistics (W. Q. Meeker, G. J. Hahn, L. A. Escobar, Statistical Intervals, 2017, section 5.2): how many
// of n values fall below the quantile is binomial, whatever the values' distribution, so that two of the sorted values
// enclose it. Shares: E. B. Wilson's interval (JASA 22, 1927), which holds for few values and near 0 and 1 too. Sums and
// differences of two such values: the distances of the bounds add up as squares do (G. Y. Zou, A. Donner, Statistics in
// Medicine 27, 2008), which a plain sum of the widths would overstate.
//
// Both intervals take the values for independent. Those of a burst, or of a while in which the machine was busy, are not, and
// then both are too narrow by far: of runs of one program beside other load every tenth was told from the one before. So the
// run is cut into sixteen parts, and what most of the parts say (stretches.h) belongs to the interval too.
#pragma once

#include <cstdint>
#include <optional>

#include "base/quantiles.h"
#include "base/stretches.h"
#include "query/syntax.h"

namespace plumb::query {

struct Estimate {
  double value = 0;
  double low = 0, high = 0;  // infinite: so few values do not bound it on that side
  std::uint64_t rows = 0;    // that it is of
  std::uint64_t least = 0;   // so many would bound it on both sides

  static Estimate exact(double value) { return {value, value, value}; }
};

// Nothing when nothing was observed.
std::optional<Estimate> quantile_estimate(const Quantiles& values, double q);
std::optional<Estimate> share_estimate(std::uint64_t held, std::uint64_t rows);
// The same, as wide at least as the parts of the run tell.
std::optional<Estimate> widened(std::optional<Estimate> e, const std::optional<Stretches::Range>& parts);

Estimate operator+(const Estimate& a, const Estimate& b);
Estimate operator-(const Estimate& a, const Estimate& b);
Estimate operator*(const Estimate& a, const Estimate& b);
// Nothing where the divisor may be 0.
std::optional<Estimate> divided(const Estimate& a, const Estimate& b);

enum class Truth : std::uint8_t { no, maybe, yes };

// `maybe` where the interval of the difference holds both answers. == and != compare the values.
Truth compare(const Estimate& a, Compare c, const Estimate& b);

// How many rows each run needs until a difference as large as this one is told in 95 of 100 pairs of runs; nothing where
// no number would do, because there is no difference, or one so small that it takes more rows than kMostRows.
inline constexpr std::uint64_t kMostRows = 10'000'000;
std::optional<std::uint64_t> rows_needed(const Estimate& a, const Estimate& b);

}  // namespace plumb::query
