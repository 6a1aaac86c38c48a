#include "docs/completion.h"

#include <algorithm>

namespace plumb::shell {
namespace {

std::string quoted(std::string_view text, std::string_view special, std::string_view before,
                   std::string_view after) {
  std::string out = "'";
  for (const char c : text) {
    if (special.find(c) == std::string_view::npos) {
      out += c;
    } else {
      out += before;
      out += c;
      out += after;
    }
  }
  return out += '\'';
}

}  // namespace

std::string quote(std::string_view text) {
  return quoted(text, "'", "'\\", "'");
}

std::string quote_fish(std::string_view text) {
  return quoted(text, "'\\", "\\", "");
}

std::string escape_zsh_spec(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string brief(std::string_view help) {
  std::size_t end = help.size();
  for (std::size_t i = 0; i + 1 < help.size(); ++i) {
    if (help[i] == '.' && help[i + 1] == ' ') {
      end = i;
      break;
    }
  }
  std::string out;
  for (const char c : help.substr(0, end)) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
  }
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::string long_flag(const OptionSpec& spec) {
  return "--" + std::string(spec.name);
}

std::string short_flag(const OptionSpec& spec) {
  return spec.short_name == 0 ? std::string{} : std::string("-") + spec.short_name;
}

std::vector<std::pair<std::string_view, std::string_view>> first_words(
    std::span<const CommandDescription> commands) {
  std::vector<std::pair<std::string_view, std::string_view>> out;
  for (const CommandDescription& c : commands) {
    const auto known =
        std::ranges::find(out, c.first_word(), &std::pair<std::string_view, std::string_view>::first);
    if (known == out.end())
      out.emplace_back(c.first_word(), c.summary);
    else if (!c.is_sub())
      known->second = c.summary;
  }
  return out;
}

}  // namespace plumb::shell
