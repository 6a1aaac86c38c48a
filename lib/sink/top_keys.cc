#include "sink/top_keys.h"

#include "base/text.h"

namespace plumb {
namespace {

constexpr std::size_t kLongestFilter = 256;
constexpr std::string_view kKeys = "q quit  s sort  r reverse  p pause  / filter";
constexpr std::string_view kFilterKeys = "Enter keep  Escape clear";

}  // namespace

bool TopKeys::take(std::string_view typed) {
  for (std::size_t i = 0; i < typed.size(); ++i) {
    // An arrow and its like send more than Escape: none of it is a key of ours.
    if (typed[i] == '\033' && i + 1 < typed.size() && (typed[i + 1] == '[' || typed[i + 1] == 'O')) {
      for (i += 2; i < typed.size() && (typed[i] < '@' || typed[i] > '~'); ++i) {
      }
      continue;
    }
    filtering_ ? edit_filter(typed[i]) : command(typed[i]);
  }
  return !typed.empty();
}

bool TopKeys::take_sort() {
  if (sorts_ == 0) return false;
  --sorts_;
  return true;
}

void TopKeys::append_state(std::string& line) const {
  if (filtering_ || !filter_.empty()) {  // what is being typed must not be cut off
    line += "  /";
    append_printable(line, filter_);
    if (filtering_) line += '_';
  }
  if (paused_) line += "  PAUSED";
}

std::string_view TopKeys::help() const {
  return filtering_ ? kFilterKeys : kKeys;
}

void TopKeys::edit_filter(char key) {
  if (key == '\n' || key == '\r') {
    filtering_ = false;
  } else if (key == '\033') {
    filtering_ = false;
    filter_.clear();
  } else if (key == '\177' || key == '\b') {
    if (!filter_.empty()) filter_.pop_back();
  } else if (static_cast<unsigned char>(key) >= ' ') {
    if (filter_.size() < kLongestFilter) filter_ += key;
  }
}

void TopKeys::command(char key) {
  switch (key) {
    case 'q':
      quit_ = true;
      break;
    case 's':
      ++sorts_;
      break;
    case '\033':
      filter_.clear();
      break;
    case 'r':
      reversed_ = !reversed_;
      break;
    case 'p':
      paused_ = !paused_;
      break;
    case '/':
      filtering_ = true;
      filter_.clear();
      break;
    default:
      break;
  }
}

}  // namespace plumb
