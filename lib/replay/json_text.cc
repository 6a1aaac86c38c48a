#include "replay/json_text.h"

#include <cstdint>
#include <cstring>

#include "base/utf8.h"

namespace plumb::replay {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// How many bytes at the front are neither a quote, a backslash nor a control character: eight at a time. A byte of
// `x - 0x01..` borrows into its top bit where it was 0 (Mycroft's test for a zero byte); a false hit may only stand behind
// a true one.
std::size_t plain_bytes(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101, kTops = 0x8080'8080'8080'8080;
  const auto zero = [](std::uint64_t x) { return (x - kOnes) & ~x & kTops; };
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof word);
    const std::uint64_t control = (word - kOnes * 0x20) & ~word & kTops;
    if ((zero(word ^ kOnes * '"') | zero(word ^ kOnes * '\\') | control) != 0) break;
  }
  while (i < text.size() && text[i] != '"' && text[i] != '\\' && static_cast<unsigned char>(text[i]) >= 0x20)
    ++i;
  return i;
}

}  // namespace

char JsonText::peek() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n'))
    ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonText::accept(char c) {
  if (peek() != c || at_ >= text_.size()) return false;
  ++at_;
  return true;
}

bool JsonText::accept_word(std::string_view word) {
  if (peek() != word.front() || text_.substr(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool JsonText::string(std::string_view& out, std::string& room) {
  if (!accept('"')) return false;
  const std::size_t begin = at_;
  const std::size_t kept = room.size();
  bool plain = true;
  while (true) {
    const std::size_t size = plain_bytes(text_.substr(at_));
    if (!plain) room.append(text_.substr(at_, size));
    at_ += size;
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    if (c == '"') {
      out = plain ? text_.substr(begin, at_ - begin) : std::string_view(room).substr(kept);
      ++at_;
      return true;
    }
    if (c != '\\') return false;
    if (plain) room.append(text_.substr(begin, at_ - begin));
    plain = false;
    if (!escape(room)) return false;
  }
}

bool JsonText::hex4(unsigned& out) {
  if (text_.size() - at_ < 4) return false;
  out = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = text_[at_++];
    const char low = static_cast<char>(c | 0x20);
    if (!is_digit(c) && (low < 'a' || low > 'f')) return false;
    out = out * 16 + static_cast<unsigned>(is_digit(c) ? c - '0' : low - 'a' + 10);
  }
  return true;
}

// At a backslash. Half a surrogate pair stands for no character: U+FFFD.
bool JsonText::escape(std::string& room) {
  if (text_.size() - at_ < 2) return false;
  const char c = text_[at_ + 1];
  at_ += 2;
  constexpr std::string_view kWritten = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  if (const std::size_t i = kWritten.find(c); i != std::string_view::npos) {
    room += kMeant[i];
    return true;
  }
  unsigned unit = 0;
  if (c != 'u' || !hex4(unit)) return false;
  if (unit >= 0xd800 && unit < 0xdc00 && text_.substr(at_, 2) == "\\u") {
    const std::size_t before = at_;
    unsigned low = 0;
    at_ += 2;
    if (!hex4(low)) return false;
    if (low >= 0xdc00 && low < 0xe000) {
      append_utf8(room, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
      return true;
    }
    at_ = before;
  }
  append_utf8(room, unit);
  return true;
}

bool JsonText::digits() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  return at_ != begin;
}

bool JsonText::number(std::string_view& out) {
  peek();
  const std::size_t begin = at_;
  if (at_ < text_.size() && text_[at_] == '-') ++at_;
  const bool zero = at_ < text_.size() && text_[at_] == '0';
  const std::size_t first = at_;
  if (!digits() || (zero && at_ - first > 1)) return false;
  if (at_ < text_.size() && text_[at_] == '.') {
    ++at_;
    if (!digits()) return false;
  }
  if (at_ < text_.size() && (text_[at_] | 0x20) == 'e') {
    ++at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    if (!digits()) return false;
  }
  out = text_.substr(begin, at_ - begin);
  return true;
}

// Behind the opening bracket.
bool JsonText::skip_members(char end, unsigned depth) {
  if (accept(end)) return true;
  do {
    if (end == '}' && (peek() != '"' || !skip(depth) || !accept(':'))) return false;
    if (!skip(depth)) return false;
  } while (accept(','));
  return accept(end);
}

bool JsonText::skip(unsigned depth) {
  if (depth > kDeepest) return false;
  switch (peek()) {
    case '"': {
      ++at_;
      for (; at_ < text_.size(); ++at_) {
        const char c = text_[at_];
        if (c == '"') return ++at_, true;
        if (static_cast<unsigned char>(c) < 0x20) return false;
        if (c == '\\') ++at_;
      }
      return false;
    }
    case '{':
      ++at_;
      return skip_members('}', depth + 1);
    case '[':
      ++at_;
      return skip_members(']', depth + 1);
    case 'n':
      return accept_word("null");
    case 't':
      return accept_word("true");
    case 'f':
      return accept_word("false");
    default: {
      std::string_view number_text;
      return number(number_text);
    }
  }
}

}  // namespace plumb::replay
