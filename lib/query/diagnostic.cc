#include "query/diagnostic.h"

#include <algorithm>

#include "base/text.h"

namespace plumb::query {
namespace {

constexpr std::size_t kBefore = 48;  // bytes shown in front of the carets
constexpr std::size_t kShown = 76;   // bytes shown in all
constexpr std::string_view kCut = "...";

// `at`, or up to three bytes earlier where a UTF-8 character begins. What is no UTF-8 is cut anywhere.
std::size_t character_start(std::string_view text, std::size_t at) {
  const auto continues = [&](std::size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U;
  };
  std::size_t start = at;
  for (int i = 0; i < 3 && start > 0 && start < text.size() && continues(start); ++i) --start;
  return start < text.size() && continues(start) ? at : start;
}

std::string printable(std::string_view text) {
  std::string s;
  append_printable(s, text);
  return s;
}

}  // namespace

Error error_at(std::string_view text, Span at, std::string_view what, std::string_view why) {
  at.begin = std::min(at.begin, text.size());
  at.end = std::clamp(at.end, at.begin, text.size());
  const std::size_t first = character_start(text, at.begin > kBefore ? at.begin - kBefore : 0);
  const std::size_t last = character_start(text, std::min(text.size(), first + kShown));

  std::string excerpt = first > 0 ? std::string(kCut) : "";
  std::size_t column = excerpt.size();
  column += append_printable(excerpt, text.substr(first, at.begin - first));
  const std::size_t marked_end = std::clamp(at.end, at.begin, last);
  const std::size_t width = append_printable(excerpt, text.substr(at.begin, marked_end - at.begin));
  append_printable(excerpt, text.substr(marked_end, last - marked_end));
  if (last < text.size()) excerpt += kCut;
  excerpt += '\n';
  excerpt.append(column, ' ');
  excerpt.append(std::max<std::size_t>(width, 1), '^');
  return Error{.what = printable(what), .why = printable(why), .excerpt = std::move(excerpt)};
}

std::string quoted(std::string_view word) {
  constexpr std::size_t kMost = 40;
  const std::size_t size = character_start(word, std::min(word.size(), kMost));
  std::string s = "\"";
  s += word.substr(0, size);
  if (size < word.size()) s += kCut;
  s += '"';
  return s;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates,
                         std::string otherwise) {
  const auto near = suggestions(word, candidates);
  if (near.empty()) return otherwise;
  std::string s = "did you mean ";
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (i != 0) s += i + 1 == near.size() ? " or " : ", ";
    s += near[i];
  }
  return s + '?';
}

std::string enumerate(const std::vector<std::string_view>& words, std::size_t most) {
  std::string s;
  const std::size_t n = std::min(words.size(), most);
  for (std::size_t i = 0; i < n; ++i) {
    if (i != 0) s += i + 1 == words.size() ? " and " : ", ";
    s += words[i];
  }
  if (n < words.size()) s += ", ...";
  return s;
}

}  // namespace plumb::query
