// A cursor over one line of JSON (RFC 8259): just what reading lines back takes, in one pass and without a tree. Pure and
// bounded: it looks at each byte a fixed number of times and nests as deep as kDeepest.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace plumb::replay {

class JsonText {
 public:
  // Arrays and objects nest this deep at most.
  static constexpr unsigned kDeepest = 64;

  explicit JsonText(std::string_view text) : text_(text) {}

  // The next byte that is no white space, '\0' at the end (where a NUL byte stands in the text, nothing matches).
  char peek();
  // Takes the byte when it comes next.
  bool accept(char c);
  bool at_end() { return peek() == '\0' && at_ >= text_.size(); }
  // Takes the word ("null", "true", "false") when it comes next.
  bool accept_word(std::string_view word);

  // A string, whose opening quote comes next. Without escapes it is a view of the text; otherwise it is appended to
  // `room`, which must have capacity for as many bytes as the text has, so that earlier views of it stay.
  bool string(std::string_view& out, std::string& room);
  // The text of a number, checked by JSON's grammar.
  bool number(std::string_view& out);
  // Any value, passed over.
  bool skip(unsigned depth = 0);

  std::size_t position() const { return at_; }

 private:
  bool escape(std::string& room);
  bool hex4(unsigned& out);
  bool digits();
  bool skip_members(char end, unsigned depth);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace plumb::replay
