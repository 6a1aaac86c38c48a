// Where in an expression something is wrong, and how that is shown: a sentence, the expression, and carets
// under the place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace plumb::query {

// Bytes [begin, end) of the expression.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(Span, Span) = default;
};

inline Span join(Span a, Span b) {
  return {a.begin, b.end};
}

// An Error whose excerpt shows `at` in `text`. Every part of it is printable, whatever bytes came in.
Error error_at(std::string_view text, Span at, std::string_view what, std::string_view why = {});

// `word` between double quotes, cut after some 40 bytes.
std::string quoted(std::string_view word);

// "did you mean a or b?", or `otherwise` when nothing among `candidates` is near `word`.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates,
                         std::string otherwise = {});

// "a, b and c"; from `most` on cut with "...".
std::string enumerate(const std::vector<std::string_view>& words, std::size_t most = 12);

}  // namespace plumb::query
